package prod

import (
	"context"

	"devstack/stack"
)

// LoadOptions says which stack is to be exported.
type LoadOptions struct {
	File    string   // path of ecosystem.yaml
	Project string   // -p; may be empty
	Params  []string // KEY=VALUE for ${KEY} in both files; nothing else of the caller's environment is looked at
}

// Load is the stack with the prod profile, as every machine loads it: without the caller's shell and without .env. What
// is wrong with the files is stack.Errors, a ${NAME:?} that Params does not give among them.
func Load(ctx context.Context, o LoadOptions) (*stack.Stack, error) {
	return stack.Load(ctx, stack.Options{File: o.File, Project: o.Project, Profile: "prod", Environment: o.Params, Portable: true})
}
