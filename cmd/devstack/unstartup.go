package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newCmdUnstartup(f *Factory, runF func(context.Context, *MachineOptions) error) *cobra.Command {
	cmd := newCmdMachine(f, "unstartup", "Take the stack out of the boot", runF)
	cmd.Long = `Disables and removes the stack's systemd units. What runs goes on; systemctl stop PROJECT before it ends it. The environment
file, the user and all data stay.`
	return cmd
}
