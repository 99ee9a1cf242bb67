package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdReload(f *Factory, runF func(context.Context, *ActionOptions) error) *cobra.Command {
	if runF == nil {
		runF = func(ctx context.Context, o *ActionOptions) error {
			return runAction(ctx, o, api.Reload)
		}
	}
	return newCmdAction(f, "reload", "Replace processes one instance at a time, waiting until each is ready",
		"Replaces the named processes, or all, with the files and the environment of this shell as they are now: of each app one\n"+
			"instance after the other, different apps at the same time. Where an app's socket is held (docs/zero-downtime.md), the new\n"+
			"process starts beside the old one, which goes when the new one has been ready for a second: no request fails. A new one\n"+
			"that does not get ready goes, the old one stays, and the reload of its app ends with 7. Other apps are stopped before\n"+
			"their successors start, and the command says which.", runF)
}
