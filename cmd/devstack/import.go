package main

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// ImportOptions is what `devstack import` was asked for.
type ImportOptions struct {
	*Factory
	File  string
	Out   string
	Trust bool
}

func newCmdImport(f *Factory, runF func(context.Context, *ImportOptions) error) *cobra.Command {
	o := &ImportOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "Turn PM2's ecosystem file into ecosystem.yaml",
		GroupID: groupFiles,
		Args:    cobra.ExactArgs(1),
		Long: `Reads an ecosystem.config.js, .cjs, .mjs, .json or .yaml and prints the same apps as ecosystem.yaml. PM2's
defaults are written out where devstack's are others; what is lost is listed, and stands in comments.

JavaScript is evaluated by your own node, after asking once: the answer is remembered for this content of the file.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return importRun(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVarP(&o.Out, "out", "o", "", "write this `FILE`, which must not be there yet (default: standard output)")
	cmd.Flags().BoolVar(&o.Trust, "trust", false, "evaluate the file without asking")
	return cmd
}

func importRun(ctx context.Context, o *ImportOptions) error {
	path, err := o.Path(o.File)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(path)) {
		if err := o.trust(path, o.Trust); err != nil {
			return err
		}
	}
	request := api.ImportRequest{File: path}
	if o.Out != "" {
		if request.Out, err = o.Path(o.Out); err != nil {
			return err
		}
	}
	d, result, err := ask(ctx, o.Factory, api.Files{}, api.EndpointImport, request)
	return o.showDraft(d, result, err)
}
