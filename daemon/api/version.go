package api

import "runtime/debug"

// BuildVersion is the version of the running executable: what `go build` took from the version control, the same for
// all executables built from one commit; "devel" where it knew none.
func BuildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
