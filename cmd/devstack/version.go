package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// VersionOptions is what `devstack version` was asked for.
type VersionOptions struct {
	*Factory
	JSON bool
}

// version is `devstack version --json`.
type version struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Path     string `json:"devstackd"` // of the sibling
}

func newCmdVersion(f *Factory, runF func(context.Context, *VersionOptions) error) *cobra.Command {
	o := &VersionOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		GroupID: groupFiles,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return versionRun(o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func versionRun(o *VersionOptions) error {
	v := version{Version: api.BuildVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	path, err := siblingPath()
	v.Path = path
	if o.JSON {
		err = writeJSON(o.IO.Out, v)
	} else {
		fmt.Fprintf(o.IO.Out, "devstack %s (%s %s)\n", v.Version, v.Go, v.Platform)
	}
	return err
}
