// Package prod is the production stage: what a stack says, in words that no engine owns. Derive turns a stack.Stack into
// a Model (workloads, backing services, what must be given from outside) and a Report that accounts for every key of
// ecosystem.yaml and every field of compose.yaml that is used. It is pure: the same Stack and Options give equal values,
// in the same order, on every machine, and nothing is read, run or written.
//
// What it promises: no value of the caller's shell, of .env, or of a variable that sounds like a secret is in a Model or a
// Report, only names; every other declared value is in it byte for byte; what cannot be expressed is an entry of the
// Report or an error, never silence. What it does not: it does not know whether a registry, a cluster or an account has
// what a definition names.
//
// # For renderers
//
// A renderer is a package below this one (compose, ecs, kubernetes, image) with one pure function,
//
//	func Render(m prod.Model, o Options) ([]prod.File, []prod.Entry, error)
//
// Files come in a fixed order, the order in which a person would read them. Documents are small structs of the renderer's
// own with fields in the order in which they are to appear, written with go.yaml.in/yaml/v4 (indent 2, as cmd/devstackd's
// config does) or encoding/json (indent 2, SetEscapeHTML(false), a newline at the end). No map is ranged over without
// sorting its keys. No text is edited after it was marshalled, and none is assembled from values: the encoder quotes.
// Escaping that the target asks for ($ in Compose, $(X) in Kubernetes) is done on values before they are encoded. A
// body holds no time, version of devstack, absolute path or command line. YAML files and Dockerfiles begin with Header.
//
// Entries tell what this target does otherwise than the Model's own Report says, or what only this target loses: use
// Mapped, Approximated and Dropped with the target's name. An entry for a target replaces, for that target, the general
// one of the same subject and key. A value outside the target's range (kill_timeout above 120 s on Fargate) is refused
// with Refuse, never clamped silently; where clamping is harmless (an interval of 1 s where 5 is the least) it is an
// Approximated entry.
//
// Secrets are names: a definition refers to a secret store and never holds a value. A Workload's Config and Secrets never
// share a name.
//
// A File that is Once is created when it is absent and belongs to the user from then on. Every other file is devstack's
// as a whole; package drift keeps it so.
//
// Golden files are in testdata/golden of each renderer, one directory per case, and written anew with `go test -update`.
// A case is an ecosystem.yaml (and compose.yaml) in testdata/cases loaded with Load, or a Model written in the test.
package prod
