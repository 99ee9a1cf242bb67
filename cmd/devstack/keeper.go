package main

import (
	"github.com/spf13/cobra"

	"devstack/procs/keeper"
	"devstack/procs/keeper/protocol"
)

// newCmdKeeper is what Spawn starts: the parent of the daemon and of all processes.
func newCmdKeeper() *cobra.Command {
	return &cobra.Command{
		Use:                "keeper",
		Short:              "The parent process of a stack; started by devstack up",
		Hidden:             true,
		DisableFlagParsing: true,
		Args:               cobra.ArbitraryArgs,
		RunE:               func(_ *cobra.Command, args []string) error { return keeperError("", keeper.Command(args)) },
	}
}

func spawnKeeper(p *project, replace func(*protocol.Holder) error) error {
	daemon, err := siblingPath()
	if err != nil {
		return err
	}
	_, err = protocol.Spawn(protocol.SpawnOptions{
		Dir: p.Dir, ID: p.ID, StateDir: p.StateDir, Socket: p.Socket, Daemon: []string{daemon}, Replace: replace,
	})
	return err
}
