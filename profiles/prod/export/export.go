// Package export is the one place that knows every target: it loads a stack for production and has it rendered. What it
// returns depends on the files and the options alone, so the same ones give the same bytes on every machine. It writes
// nothing; package drift does.
package export

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"devstack/profiles/prod"
	"devstack/profiles/prod/compose"
	"devstack/profiles/prod/ecs"
	"devstack/profiles/prod/image"
	"devstack/profiles/prod/kubernetes"
	"devstack/stack"
)

// Options is what is exported and how.
type Options struct {
	Load  prod.LoadOptions
	Model prod.Options
	Dir   string // absolute: where the files will be

	Publish      map[string]string // compose: app -> HOST_IP:PORT
	EC2          bool              // ecs: container instances instead of Fargate
	GroupWorkers bool              // ecs: workers share one task
	Parameters   map[string]string // ecs: values of placeholders
	Autoscale    map[string]int    // kubernetes: app -> most replicas
}

// Export is a rendered target.
type Export struct {
	Stack  *stack.Stack
	Model  prod.Model
	Files  []prod.File
	Report prod.Report // as it holds for the target
}

type renderer func(e *Export, o Options) ([]prod.File, []prod.Entry, error)

func renderers() map[string]renderer {
	return map[string]renderer{
		"compose": func(e *Export, o Options) ([]prod.File, []prod.Entry, error) {
			return compose.Render(e.Model, compose.Options{Publish: o.Publish})
		},
		"ecs": func(e *Export, o Options) ([]prod.File, []prod.Entry, error) {
			return ecs.Render(e.Model, ecs.Options{EC2: o.EC2, GroupWorkers: o.GroupWorkers, Parameters: o.Parameters})
		},
		"kubernetes": func(e *Export, o Options) ([]prod.File, []prod.Entry, error) {
			return kubernetes.Render(e.Model, kubernetes.Options{Autoscale: o.Autoscale})
		},
		"image": renderImage,
	}
}

func renderImage(e *Export, o Options) ([]prod.File, []prod.Entry, error) {
	workspace, err := image.Look(filepath.Join(e.Stack.Dir, filepath.FromSlash(e.Model.Build.Context)))
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Rel(e.Stack.Dir, o.Dir)
	if err != nil {
		return nil, nil, err
	}
	return image.Render(e.Model, image.Options{Workspace: workspace, Dir: filepath.ToSlash(dir)})
}

// Targets are the names of all targets, sorted.
func Targets() []string { return slices.Sorted(maps.Keys(renderers())) }

// Render loads the files with the prod profile and renders a target. What is wrong with the files, or cannot be expressed,
// is stack.Errors; an unknown target or app is a *stack.UnknownError.
func Render(ctx context.Context, target string, o Options) (*Export, error) {
	render := renderers()[target]
	if render == nil {
		return nil, &stack.UnknownError{Kind: "target", Name: target}
	}
	st, err := prod.Load(ctx, o.Load)
	if err != nil {
		return nil, err
	}
	e := &Export{Stack: st}
	var report prod.Report
	if e.Model, report, err = prod.Derive(st, o.Model); err != nil {
		return nil, err
	}
	var entries []prod.Entry
	if e.Files, entries, err = render(e, o); err != nil {
		return nil, err
	}
	e.Report = report.With(entries...).For(target)
	return e, nil
}
