package main

import (
	"context"

	"github.com/spf13/cobra"
)

// RehearseOptions is what `devstack rehearse` was asked for. Flags go to devstackd as they are.
type RehearseOptions struct {
	*Factory
	Targets  []string
	Trial    string
	Markdown string
	Flags    []string
}

func newCmdRehearse(f *Factory, runF func(context.Context, *RehearseOptions) error) *cobra.Command {
	o := &RehearseOptions{Factory: f}
	cmd := &cobra.Command{
		Use:       "rehearse [compose|ecs|kubernetes]...",
		Short:     "Prove on real engines that the production definitions work",
		GroupID:   groupProduction,
		Args:      cobra.OnlyValidArgs,
		ValidArgs: []string{"compose", "ecs", "kubernetes"},
		Long: `Builds the images as the exported Dockerfile says, starts real Redis and Postgres in place of the managed ones, and has
each target's engine run what devstack export writes, unchanged: compose and ecs on the Docker Engine (the default),
kubernetes on the cluster of --context. Then every workload must be healthy, its process must have exactly the declared
environment, it must stop within its grace, and no secret may be in a layer, file or log. What only AWS or a production
cluster can answer is listed as not proven. Secrets are made up, but for those of --secret. The project's own stack is left
alone, and everything that was started is removed, also after Ctrl-C.

The verdicts are on standard output, the steps on standard error. Ends with 14 when something failed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Targets = args
			o.Flags = changedFlags(cmd.LocalNonPersistentFlags(), "trial", "markdown")
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return rehearseRun(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.String("base", "", "the `IMAGE` to build on, in place of both base images of the Dockerfile")
	flags.StringVar(&o.Trial, "trial", "", "`FILE` with JavaScript that makes the stack do its work, with its URLs in NAME_URL, and fails if it does not")
	flags.StringArray("set", nil, "`NAME=VALUE` for ${NAME} in the files")
	flags.StringArray("image", nil, "`APP=REFERENCE` of an image, instead of building it")
	flags.StringArray("secret", nil, "`NAME` of a secret that has to be real: taken from this environment")
	flags.String("context", "", "kubernetes: the `CONTEXT` of the cluster")
	flags.String("registry", "", "kubernetes: `HOST:PORT` to push the images to")
	flags.Bool("json", false, "the verdicts as JSON")
	flags.StringVar(&o.Markdown, "markdown", "", "write them to this `FILE`, too")
	flags.Bool("keep", false, "leave everything running or stopped as it is in the end, and say how to remove it")
	return cmd
}

func rehearseRun(ctx context.Context, o *RehearseOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	flags := o.Flags
	for _, file := range []struct{ flag, name string }{{"trial", o.Trial}, {"markdown", o.Markdown}} {
		if file.name == "" {
			continue
		}
		path, err := o.Path(file.name)
		if err != nil {
			return err
		}
		flags = append(flags, "--"+file.flag+"="+path)
	}
	args := append(p.siblingArgs("rehearse", flags...), "--")
	return o.Sibling(ctx, append(args, o.Targets...))
}
