package keeper

import (
	"errors"
	"os"
	"syscall"

	"devstack/procs/keeper/protocol"
)

// Command is the hidden subcommand `keeper`: args are what Spawn passes after that word.
func Command(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case execArg:
			return becomeLaunch(args[1:])
		case checkArg:
			return checkCarried(args[1:])
		case resumeArg:
			return resume(args[1:])
		}
	}
	o, err := commandOptions(args)
	if err != nil {
		return err
	}
	return Run(o)
}

func commandOptions(args []string) (Options, error) {
	if len(args) < 5 {
		return Options{}, errors.New("usage: keeper DIR ID STATE_DIR SOCKET DAEMON [ARG...]; started by devstack up")
	}
	syscall.CloseOnExec(protocol.ReadyFD)
	return Options{
		Dir: args[0], ID: args[1], StateDir: args[2], Socket: args[3], Daemon: args[4:],
		Ready: os.NewFile(protocol.ReadyFD, "ready"),
	}, nil
}
