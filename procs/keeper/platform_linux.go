package keeper

import "golang.org/x/sys/unix"

// orphansStay: every descendant stays one, because the keeper is a subreaper. Nobody else's environment is looked at.
const orphansStay = true

// becomeSubreaper makes orphans of every launch children of the keeper instead of init's.
func becomeSubreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// selfPath is our executable, even if another one has taken its place on disk.
func selfPath() (string, error) { return "/proc/self/exe", nil }
