package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// RehearseOptions is what `devstack rehearse` was asked for.
type RehearseOptions struct {
	*Factory
	api.RehearseRequest        // its Trial is the file's name
	Markdown            string // a file
	JSON                bool
}

func newCmdRehearse(f *Factory, runF func(context.Context, *RehearseOptions) error) *cobra.Command {
	o := &RehearseOptions{Factory: f}
	var set, images pairs
	cmd := &cobra.Command{
		Use:       "rehearse [compose|ecs|kubernetes]...",
		Short:     "Run the production definitions on real engines, and prove that they work",
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
			o.Targets, o.Set, o.Images = args, set, images
			if len(args) == 0 {
				o.Targets = []string{"compose", "ecs"}
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return rehearseRun(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Base, "base", "", "the `IMAGE` to build on, in place of both base images of the Dockerfile")
	flags.StringVar(&o.Trial, "trial", "", "`FILE` with JavaScript that makes the stack do its work, with its URLs in NAME_URL, and fails if it does not")
	flags.Var(&set, "set", "`NAME=VALUE` for ${NAME} in the files")
	flags.Var(&images, "image", "`APP=REFERENCE` of an image, instead of building it")
	flags.StringArrayVar(&o.Secrets, "secret", nil, "`NAME` of a secret that has to be real: taken from this environment")
	flags.StringVar(&o.Context, "context", "", "kubernetes: the `CONTEXT` of the cluster")
	flags.StringVar(&o.Registry, "registry", "", "kubernetes: `HOST:PORT` to push the images to")
	flags.BoolVar(&o.JSON, "json", false, "print the verdicts as JSON")
	flags.StringVar(&o.Markdown, "markdown", "", "write the verdicts to this `FILE`, too")
	flags.BoolVar(&o.Keep, "keep", false, "remove nothing at the end, and print how to remove it")
	return cmd
}

func rehearseRun(ctx context.Context, o *RehearseOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	request := o.RehearseRequest
	if o.Trial != "" {
		if request.Trial, err = o.readTrial(); err != nil {
			return err
		}
	}
	r, result, err := ask(ctx, o.Factory, p.Files, api.EndpointRehearse, request)
	switch {
	case err != nil:
		return err
	case r == nil:
		return o.ended(result, false)
	case o.JSON:
		err = writeJSON(o.IO.Out, r.Report)
	default:
		fmt.Fprint(o.IO.Out, r.Text)
	}
	return errors.Join(err, o.writeMarkdown(r.Markdown), o.ended(result, false))
}

func (o *RehearseOptions) readTrial() (string, error) {
	path, err := o.Path(o.Trial)
	if err != nil {
		return "", err
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return "", usageError("cannot read the trial: %v", err)
	}
	return string(code), nil
}

func (o *RehearseOptions) writeMarkdown(text string) error {
	if o.Markdown == "" {
		return nil
	}
	path, err := o.Path(o.Markdown)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
