package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ExportOptions is what `devstack export` was asked for. Flags go to devstackd as they are.
type ExportOptions struct {
	*Factory
	Target string
	Out    string
	Flags  []string
}

func newCmdExport(f *Factory, runF func(context.Context, *ExportOptions) error) *cobra.Command {
	o := &ExportOptions{Factory: f}
	cmd := &cobra.Command{
		Use:       "export compose|ecs|kubernetes|image",
		Short:     "Write production definitions for Compose, ECS or Kubernetes, or what builds the images",
		GroupID:   groupProduction,
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"compose", "ecs", "image", "kubernetes"},
		Long: `Writes what a production engine runs, from the same two files with the prod profile, and says of every key what became
of it. The paths that changed are printed. Nothing of this shell or of .env is used: secrets are names, never values.

The files are devstack's as a whole; devstack.lock beside them tells an old file from one that somebody has edited, and
what devstack did not write is never overwritten: --adopt keeps such edits as overlays. --check writes nothing and ends
with 0 (ok), 10 (stale), 11 (edited) or 12 (conflict), --strict with 13 if something the files ask for gets lost.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Target = args[0]
			o.Flags = changedFlags(cmd.LocalNonPersistentFlags(), "out")
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return exportRun(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Out, "out", "o", "", "the `DIR` to write (default: deploy/TARGET beside ecosystem.yaml)")
	flags.Bool("check", false, "write nothing; say how the files on disk stand")
	flags.Bool("strict", false, "refuse an export that loses something")
	flags.Bool("adopt", false, "keep edits of generated files as overlays, then write")
	flags.Bool("json", false, "as JSON: the files, their states and the report")
	flags.Bool("report", false, "show every key, not only what is lost")
	flags.StringArray("set", nil, "`NAME=VALUE` for ${NAME} in the files; ecs: also for its placeholders")
	flags.StringArray("image", nil, "`APP=REFERENCE` of an image, with its digest")
	flags.StringArray("container", nil, "run this backing `SERVICE` as a container, too, instead of an external endpoint")
	flags.StringArray("publish", nil, "compose: `APP=[HOST:]PORT` to publish an app's port at")
	flags.StringArray("autoscale", nil, "kubernetes: `APP=N`, up to N replicas by processor use")
	flags.Bool("ec2", false, "ecs: for container instances instead of Fargate")
	flags.Bool("group-workers", false, "ecs: one task for all workers")
	return cmd
}

// changedFlags are the given flags as arguments, but for those that the caller deals with.
func changedFlags(flags *pflag.FlagSet, own ...string) []string {
	var args []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Changed || slices.Contains(own, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args
}

func exportRun(ctx context.Context, o *ExportOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	flags := o.Flags
	if o.Out != "" {
		out, err := o.Path(o.Out)
		if err != nil {
			return err
		}
		flags = append(flags, "--out="+out)
	}
	return o.Sibling(ctx, append(p.siblingArgs("export", flags...), "--", o.Target))
}
