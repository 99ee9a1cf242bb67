package daemon

import (
	"context"
	"fmt"
	"slices"

	"devstack/daemon/api"
	"devstack/stack"
)

// load reads the files as they are now, with the caller's environment; running is the stack that runs, if one does.
func load(ctx context.Context, files api.Files, environment []string, running *stack.Stack) (*stack.Stack, *api.Result) {
	st, err := stack.Load(ctx, stack.Options{File: files.File, Project: files.Project, Profile: files.Profile, Environment: environment})
	if err != nil {
		return nil, fileRefusal(err)
	}
	switch {
	case st.Profile == "prod":
		return nil, usage("profile", "the profile prod is exported and rehearsed, never run by devstack up", "choose dev or pilot")
	case running != nil && running.Project != st.Project:
		return nil, usage("project", fmt.Sprintf("this stack runs as %s, not as %s", running.Project, st.Project),
			"run devstack down first, or name the stack -p "+running.Project)
	}
	return st, nil
}

// redefined is the stack with the definitions of the named apps as the files have them now. How many instances there are is for up and scale to say.
func redefined(ctx context.Context, old intent, environment, names []string) (*stack.Stack, *api.Result) {
	st, refused := load(ctx, old.Files, environment, old.Stack)
	if refused != nil {
		return nil, refused
	}
	next := *st
	next.Compose, next.Apps = old.Stack.Compose, slices.Clone(old.Stack.Apps)
	for i, app := range next.Apps {
		if !slices.Contains(names, app.Name) {
			continue
		}
		n := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == app.Name })
		if n < 0 {
			return nil, refusal(api.Failure{
				Resource: app.Name, Exit: api.ExitFiles, Message: "is no longer in " + st.Rel(st.File) + "; devstack up removes it",
			})
		}
		next.Apps[i] = st.Apps[n]
		next.Apps[i].Instances, next.Apps[i].ExecMode = app.Instances, app.ExecMode
	}
	if len(st.Missing) > 0 {
		return nil, refusal(api.Failure{Resource: "required environment", Exit: api.ExitEnvironment, Message: fmt.Sprintf("not set: %v", st.Missing)})
	}
	return &next, nil
}
