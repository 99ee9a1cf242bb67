package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func newCmdBootstrap(f *Factory, runF func(context.Context, *MachineOptions) error) *cobra.Command {
	cmd := newCmdMachine(f, "bootstrap", "Make this machine the stack's pilot machine", runF)
	cmd.Long = `From a fresh Debian or Ubuntu with systemd to the running stack, as root, in the project's directory: Node.js and a Docker
Engine, or redis-server and postgresql, from the distribution's packages if they are missing; the user devstack; both
executables in /usr/local/bin; directories; /etc/devstack/PROJECT.env with the names of what is required; a build of what is
missing; log limits; the units of devstack startup; the start, until the stack is ready. A second time it changes nothing
but what has changed; after a failure it goes on. Newer executables take over without a restart of the processes.

--check changes nothing and ends with 0, or with 10 if something is to be done, or with the code of what only a person can
repair. --cloud-init prints the same as the first boot of a new machine; no secret is in it.`
	flags := cmd.Flags()
	flags.String("user", "devstack", "run as this user; only devstack is made if it is missing")
	flags.String("infra", "auto", "what runs the services: auto, docker or native")
	flags.Bool("check", false, "change nothing; say what is not as it should be")
	flags.Bool("dry-run", false, "change nothing; show every step and its commands")
	flags.Bool("no-start", false, "do everything but start the stack")
	flags.Duration("timeout", 5*time.Minute, "how long to wait until the stack is ready")
	flags.Bool("json", false, "the steps as JSON")
	flags.Bool("cloud-init", false, "print a cloud-config for a new machine")
	flags.String("source", "", "cloud-init: the project's git repository or tar archive, a `URL` or a path on the new machine")
	flags.String("executables", "", "cloud-init: a tar archive with devstack and devstackd, `URL` or path (default: the project's bin)")
	flags.String("dir", "", "cloud-init: the project's `DIR` on the new machine (default: /opt/PROJECT)")
	return cmd
}
