package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdDelete(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = func(ctx context.Context, o *ActionOptions) error {
			return runAction(ctx, o, api.Delete)
		}
	}
	cmd := newCmdAction(f, "delete", "Stop apps and take them out of the running stack",
		"Stops the named apps and takes them out of the running stack; what depends on them can no longer start. devstack up\n"+
			"brings them back. all is a name, too. The files are not touched, and neither are logs and containers.", runF)
	cmd.Use, cmd.Aliases = "delete NAME...", []string{"del"}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError("delete needs the name of an app, or all for every app")
		}
		return nil
	}
	return cmd
}
