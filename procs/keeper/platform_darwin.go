package keeper

import "os"

// orphansStay is false: orphans become init's, and only their environment tells whose they are. macOS does not tell the
// session, either.
const orphansStay = false

// becomeSubreaper does nothing: macOS has no subreapers.
func becomeSubreaper() error { return nil }

func selfPath() (string, error) { return os.Executable() }
