package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

func newCmdDaemon(f *Factory, runF func(context.Context, *DaemonRestartOptions) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "daemon",
		Short:   "Replace the running devstack by this version",
		GroupID: groupStack,
		Args:    noSuchCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	restart := newCmdDaemonRestart(f, runF)
	restart.RunE = marked(restart.RunE)
	cmd.AddCommand(restart)
	return cmd
}

// DaemonRestartOptions is what `devstack daemon restart` was asked for.
type DaemonRestartOptions struct {
	*Factory
	Timeout time.Duration
}

func newCmdDaemonRestart(f *Factory, runF func(context.Context, *DaemonRestartOptions) error) *cobra.Command {
	o := &DaemonRestartOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "restart",
		Short: "Replace the running keeper and daemon by this devstack and its devstackd",
		Args:  cobra.NoArgs,
		Long: `Replaces the running daemon by the devstackd beside this devstack, and the keeper by this devstack itself: run it after
installing a new version, or an older one. Every process keeps its pid, its sockets and its connections, no request fails,
no log line and no exit is lost; services are not touched. Commands that are under way are waited for, later ones wait.
What does not run is refused before anything is touched. On macOS the daemon alone is replaced, by the one at the same path.

8: nothing is running here. 4: one of the executables does not run. 6: a command was still under way.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return daemonRestartRun(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.Timeout, "timeout", time.Minute, "how long to wait for the commands that are under way")
	return cmd
}

func daemonRestartRun(ctx context.Context, o *DaemonRestartOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	before, err := o.Running(ctx, p)
	if err != nil {
		return needsStack(p, err)
	}
	self, daemon, err := executables()
	if err != nil {
		return err
	}
	client := o.Client(p)
	began, err := client.RestartDaemon(ctx, api.UpgradeRequest{Keeper: self, Daemon: daemon, Timeout: o.Timeout})
	if err != nil {
		return needsStack(p, err)
	}
	after, err := nextDaemon(ctx, client, before.Daemon.Pid)
	if err != nil {
		return err
	}
	keeper := fmt.Sprintf("the keeper (pid %d) is %s now", began.KeeperPid, self)
	if !began.Keeper {
		keeper = fmt.Sprintf("the keeper (pid %d) stays: %s", began.KeeperPid, began.Why)
	}
	_, err = fmt.Fprintf(o.IO.Out, "devstackd %s (pid %d) replaces %s (pid %d); %s\n",
		after.Version, after.Pid, before.Daemon.Version, before.Daemon.Pid, keeper)
	return err
}

// nextTime is how long the next daemon may take until it answers.
const nextTime = 30 * time.Second

// nextDaemon waits until another process than old answers.
func nextDaemon(ctx context.Context, client *api.Client, old int) (*api.Daemon, error) {
	limited, cancel := context.WithTimeout(ctx, nextTime)
	defer cancel()
	for {
		state, err := client.State(limited)
		switch {
		case err == nil && state.Daemon.Pid != old:
			return state.Daemon, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case limited.Err() != nil:
			return nil, &api.Error{
				Exit: api.ExitTimeout, Message: fmt.Sprintf("cannot reach the next daemon within %s; the processes go on", nextTime),
				Hint: "read daemon.log and keeper.log in the state directory",
			}
		case errors.Is(err, api.ErrNotRunning):
			return nil, err
		}
		select {
		case <-limited.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// executables are this one and its devstackd, symlinks resolved.
func executables() (self, daemon string, err error) {
	if daemon, err = siblingPath(); err != nil {
		return "", "", err
	}
	if self, err = os.Executable(); err != nil {
		return "", "", err
	}
	self, err = filepath.EvalSymlinks(self)
	return self, daemon, err
}
