package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
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
		Short:   "Write a first ecosystem.yaml from the packages and the Compose file of this directory",
		GroupID: groupFiles,
		Args:    cobra.NoArgs,
		Long: `Looks at package.json, the packages of its workspaces (npm, yarn, pnpm) and the Compose file of this
directory, says what it found, and writes ecosystem.yaml: an app for each package with a start script, a bin, a dev
script or a main in dist, waiting for the services that run an image. An ecosystem.yaml that is there stays as it is.

An app gets a port where its script, its framework, its .env or its entry file tells one, and a healthcheck where the
entry file has a health route. Scripts are run by the package manager whose lock file is there. What is not built yet
gets a one_shot that builds it.

Also writes .devstack/schema.json, for editors.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return initRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "print the file and write nothing")
	return cmd
}

func initRun(ctx context.Context, o *InitOptions) error {
	if o.globals.file != "" {
		return usageError("-f has no meaning for init, which writes ecosystem.yaml: use -C DIR")
	}
	dir, err := o.Path(".")
	if err != nil {
		return err
	}
	d, result, err := ask(ctx, o.Factory, api.Files{}, api.EndpointInit, api.InitRequest{Dir: dir, DryRun: o.DryRun})
	return o.showDraft(d, result, err)
}

// showDraft says what a draft is made of and what it does not have, prints it unless it is a file now, and says how that
// ended.
func (f *Factory) showDraft(d *api.Draft, result *api.Result, err error) error {
	if err != nil {
		return err
	}
	if d != nil {
		for _, line := range d.Found {
			fmt.Fprintln(f.IO.Err, "found:", line)
		}
		for _, line := range d.Lost {
			fmt.Fprintln(f.IO.Err, "left out:", line)
		}
		switch {
		case d.Wrote != "":
			fmt.Fprintln(f.IO.Err, "wrote", d.Wrote)
		case result.Exit != api.ExitUsage: // not the refusal to write it
			fmt.Fprint(f.IO.Out, d.Text)
		}
		if d.Loads {
			fmt.Fprintln(f.IO.Err, "next:  devstack up")
		}
	}
	return f.ended(result, false)
}
