package main

import (
	"context"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// MachineOptions is what startup, unstartup and bootstrap were asked for. Flags go to devstackd as they are.
type MachineOptions struct {
	*Factory
	Flags []string
}

func newCmdStartup(f *Factory, runF func(context.Context, *MachineOptions) error) *cobra.Command {
	cmd := newCmdMachine(f, "startup", "Have systemd start the stack at boot", runF)
	cmd.Long = `Writes the stack's systemd units and has them started at boot: PROJECT.service, and with Docker PROJECT-infra.service, which
keeps the containers. They run the stack with the profile pilot, and as devstack resurrect does: what was stopped stays so.
Nothing is started or stopped now. Only root can do it: others get the command line to copy. A second time it changes nothing.

The processes get what /etc/devstack/PROJECT.env says, and may write their log directories and the user's home alone.`
	flags := cmd.Flags()
	flags.String("user", "", "run as this user (default: as before, who called sudo, or the project's owner)")
	flags.String("infra", "auto", "what runs the services: auto, docker or native")
	flags.Bool("dry-run", false, "print the units and write nothing")
	return cmd
}

// newCmdMachine is a command that devstackd carries out with the flags as they are.
func newCmdMachine(f *Factory, name, short string, runF func(context.Context, *MachineOptions) error) *cobra.Command {
	o := &MachineOptions{Factory: f}
	return &cobra.Command{
		Use: name, Short: short, GroupID: groupBoot, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Flags = changedFlags(cmd.LocalNonPersistentFlags())
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			file, err := findFile(f.globals.dir, f.globals.file)
			if err != nil {
				return err
			}
			// Without where this user's state would be: cloud-init has no HOME.
			p := &project{Files: api.Files{File: file, Project: f.globals.project, Profile: f.globals.profile}}
			return o.Sibling(cmd.Context(), p.siblingArgs(name, o.Flags...))
		},
	}
}
