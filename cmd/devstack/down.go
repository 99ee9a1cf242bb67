package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// DownOptions is what `devstack down` was asked for.
type DownOptions struct {
	*Factory
	Volumes   bool
	KeepInfra bool
}

func newCmdDown(f *Factory, runF func(context.Context, *DownOptions) error) *cobra.Command {
	o := &DownOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "End the stack: processes in reverse order, then services, then the daemon",
		GroupID: groupStack,
		Args:    cobra.NoArgs,
		Long: `Stops the processes in reverse order, removes the containers and the network, or ends the native servers, then ends the
daemon. Their data stays unless -v is given. Nothing to end is no error.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Volumes && o.KeepInfra {
				return usageError("-v and --keep-infra exclude each other: use one of them")
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return downRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.Volumes, "volumes", "v", false, "remove the volumes and their data, too")
	cmd.Flags().BoolVar(&o.KeepInfra, "keep-infra", false, "leave the services running")
	return cmd
}

func downRun(ctx context.Context, o *DownOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil && !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	result, err := downBy(ctx, o, o.Client(p))
	if errors.Is(err, api.ErrNotRunning) {
		return downWithoutKeeper(ctx, o, p)
	}
	if err != nil {
		return err
	}
	if err := o.finish(result, false); err != nil {
		return err
	}
	return o.WaitGone(ctx, p.Dir, p.StateDir)
}

// downWithoutKeeper removes the services that a keeper left behind. A keeper on its way out goes first; one that
// stays belongs to another DEVSTACK_HOME, and would repair what is removed here.
func downWithoutKeeper(ctx context.Context, o *DownOptions, p *project) error {
	if err := o.WaitLeaving(ctx, p.Dir, p.StateDir); err != nil {
		return err
	}
	return o.Once(ctx, p.Files, func(ctx context.Context, c *api.Client) error {
		result, err := downBy(ctx, o, c)
		if err != nil {
			return err
		}
		return o.finish(result, false)
	})
}

// downBy has the daemon behind c, or the devstackd in place of one, end the stack.
func downBy(ctx context.Context, o *DownOptions, c *api.Client) (*api.Result, error) {
	return o.action("down", func(each func(api.Event)) (*api.Result, error) {
		return c.Down(ctx, api.DownRequest{Volumes: o.Volumes, KeepInfra: o.KeepInfra}, each)
	})
}
