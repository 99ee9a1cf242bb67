package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// StartupOptions is what `devstack startup` was asked for.
type StartupOptions struct {
	*Factory
	api.StartupRequest
}

func newCmdStartup(f *Factory, runF func(context.Context, *StartupOptions) error) *cobra.Command {
	o := &StartupOptions{Factory: f}
	cmd := &cobra.Command{
		Use: "startup", Short: "Have systemd start the stack at boot", GroupID: groupBoot, Args: cobra.NoArgs,
		Long: `Writes the stack's systemd units and has them started at boot: PROJECT.service, and with Docker PROJECT-infra.service, which
keeps the containers. They run the stack with the profile pilot, and as devstack resurrect does: what was stopped stays so.
Nothing is started or stopped now. Only root can do it: others get the command line to copy. A second time it changes nothing.

The processes get what /etc/devstack/PROJECT.env says, and may write their log directories and the user's home alone.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := knownInfra(o.Infra); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return askMachine(cmd.Context(), f, api.EndpointStartup, o.StartupRequest)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.User, "user", "", "run as this user (default: as before, who called sudo, or the project's owner)")
	flags.StringVar(&o.Infra, "infra", "auto", "what runs the services: auto, docker or native")
	flags.BoolVar(&o.DryRun, "dry-run", false, "print the units and write nothing")
	return cmd
}

// askMachine asks for what is about this machine, and prints the answer. It does not look for this user's state: cloud-init has
// no HOME.
func askMachine[Request any](ctx context.Context, f *Factory, to api.Endpoint[Request, api.Text], r Request) error {
	file, err := findFile(f.globals.dir, f.globals.file)
	if err != nil {
		return err
	}
	return askText(ctx, f, api.Files{File: file, Project: f.globals.project, Profile: f.globals.profile}, to, r)
}

func knownInfra(name string) error {
	if !slices.Contains([]string{"auto", "docker", "native"}, name) {
		return usageError("--infra needs auto, docker or native, not %q", name)
	}
	return nil
}
