package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// ExportOptions is what `devstack export` was asked for.
type ExportOptions struct {
	*Factory
	api.ExportRequest
	JSON bool
}

func newCmdExport(f *Factory, runF func(context.Context, *ExportOptions) error) *cobra.Command {
	o := &ExportOptions{Factory: f}
	var set, images, publish, autoscale pairs
	cmd := &cobra.Command{
		Use:       "export compose|ecs|kubernetes|image",
		Short:     "Write production definitions for Compose, ECS or Kubernetes, or the files that build the images",
		GroupID:   groupProduction,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"compose", "ecs", "image", "kubernetes"},
		Long: `Writes what a production engine runs, from the same two files with the prod profile, and says of every key what became
of it. The paths that changed are printed. Nothing of this shell or of .env is used: secrets are names, never values.

The files are devstack's as a whole; devstack.lock beside them tells an old file from one that somebody has edited, and
what devstack did not write is never overwritten: --adopt keeps such edits as overlays. --check writes nothing and ends
with 0 (ok), 10 (stale), 11 (edited) or 12 (conflict), --strict with 13 if something the files ask for gets lost.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Check && o.Adopt {
				return usageError("--check and --adopt exclude each other: use one of them")
			}
			o.Target, o.Set, o.Images, o.Publish = args[0], set, images, publish
			var err error
			if o.Autoscale, err = numbers("autoscale", autoscale); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return exportRun(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Dir, "out", "o", "", "the `DIR` to write (default: deploy/TARGET beside ecosystem.yaml)")
	flags.BoolVar(&o.Check, "check", false, "write nothing; print the state of the files on disk")
	flags.BoolVar(&o.Strict, "strict", false, "refuse an export that loses something")
	flags.BoolVar(&o.Adopt, "adopt", false, "keep edits of generated files as overlays, then write")
	flags.BoolVar(&o.JSON, "json", false, "print JSON: the files, their states and the report")
	flags.BoolVar(&o.All, "report", false, "show every key, not only what is lost")
	flags.Var(&set, "set", "`NAME=VALUE` for ${NAME} in the files; ecs: also for its placeholders")
	flags.Var(&images, "image", "`APP=REFERENCE` of an image, with its digest")
	flags.StringArrayVar(&o.Containers, "container", nil, "run this backing `SERVICE` as a container, too, instead of an external endpoint")
	flags.Var(&publish, "publish", "compose: `APP=[HOST:]PORT` to publish an app's port at")
	flags.Var(&autoscale, "autoscale", "kubernetes: `APP=N`, up to N replicas by processor use")
	flags.BoolVar(&o.EC2, "ec2", false, "ecs: for container instances instead of Fargate")
	flags.BoolVar(&o.GroupWorkers, "group-workers", false, "ecs: one task for all workers")
	return cmd
}

// numbers are the values of a flag as numbers of replicas.
func numbers(flag string, given pairs) (map[string]int, error) {
	all := map[string]int{}
	for name, text := range given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, usageError("--%s %s needs a number of replicas, not %q", flag, name, text)
		}
		all[name] = n
	}
	return all, nil
}

func exportRun(ctx context.Context, o *ExportOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if o.Dir != "" {
		if o.Dir, err = o.Path(o.Dir); err != nil {
			return err
		}
	}
	e, result, err := ask(ctx, o.Factory, p.Files, api.EndpointExport, o.ExportRequest)
	switch {
	case err != nil:
		return err
	case e == nil:
	case o.JSON:
		e.Summary = ""
		err = writeJSON(o.IO.Out, e)
	case o.Check || result.Exit != api.ExitDone:
		showDrift(o.IO, e, o.Check)
	default:
		for _, name := range e.Changed {
			fmt.Fprintln(o.IO.Out, filepath.Join(e.Dir, filepath.FromSlash(name)))
		}
		if len(e.Changed) == 0 {
			fmt.Fprintf(o.IO.Err, "nothing to do: %s is up to date\n", e.Dir)
		}
		fmt.Fprint(o.IO.Err, e.Summary)
	}
	return errors.Join(err, o.ended(result, false))
}

// showDrift shows what is not as export would write it. Only a check has the states as its data; a refusal says in its error
// which files it is about.
func showDrift(io *IOStreams, e *api.Export, check bool) {
	for _, f := range e.Files {
		switch {
		case f.State == "ok":
			continue
		case check:
			fmt.Fprintf(io.Out, "%-8s  %s\n", f.State, f.Path)
			fmt.Fprintf(io.Err, "%s: %s\n", f.Path, f.Reason)
		}
		fmt.Fprint(io.Err, f.Diff)
		if check && f.Fix != "" {
			fmt.Fprintln(io.Err, "next: ", f.Fix)
		}
	}
	if !check {
		fmt.Fprint(io.Err, e.Summary)
	}
}
