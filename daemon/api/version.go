package api

import "runtime/debug"

// linked is the version that the linker sets: -X devstack/daemon/api.linked=v1.2.3.
var linked string

// BuildVersion is the version of the running executable: what the linker was told, else what `go build` took from the
// version control, else "devel". Executables that were built together have the same.
func BuildVersion() string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
