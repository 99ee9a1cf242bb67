package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdReload(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = func(ctx context.Context, o *ActionOptions) error {
			return runAction(ctx, o, "reload", (*api.Client).Reload)
		}
	}
	return newCmdAction(f, "reload", "Replace processes one instance at a time, waiting until each is ready",
		"Replaces the named processes, or all, with the files and the environment of this shell as they are now: of each app one\n"+
			"instance after the other, different apps at the same time. No socket is held, so an instance is stopped before its\n"+
			"successor starts. A successor that does not get ready ends the reload of its app with 7; the instances after it keep\n"+
			"running as they were.", runF)
}
