package main

import (
	"context"

	"github.com/spf13/cobra"
)

// InitOptions is what `devstack init` was asked for.
type InitOptions struct {
	*Factory
	DryRun bool
}

func newCmdInit(f *Factory, runF func(context.Context, *InitOptions) error) *cobra.Command {
	o := &InitOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Draft ecosystem.yaml from the workspace and the Compose file that are here",
		GroupID: groupFiles,
		Args:    cobra.NoArgs,
		Long: `Looks at package.json, the packages of its workspaces (npm, yarn, pnpm) and the Compose file of this
directory, says what it found, and writes ecosystem.yaml: an app for each package with a start script, a bin or a
main in dist, waiting for the services that run an image. An ecosystem.yaml that is there stays as it is.

Also writes .devstack/schema.json, for editors.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return initRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "print it and write nothing")
	return cmd
}

func initRun(ctx context.Context, o *InitOptions) error {
	if o.globals.file != "" {
		return usageError("init writes ecosystem.yaml: -f has no meaning here, -C DIR has")
	}
	args := []string{"init", "--dir", "."}
	if o.globals.dir != "" {
		args[2] = o.globals.dir
	}
	if o.DryRun {
		args = append(args, "--dry-run")
	}
	return o.Sibling(ctx, args)
}
