package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// BootstrapOptions is what `devstack bootstrap` was asked for.
type BootstrapOptions struct {
	*Factory
	api.BootstrapRequest
}

func newCmdBootstrap(f *Factory, runF func(context.Context, *BootstrapOptions) error) *cobra.Command {
	o := &BootstrapOptions{Factory: f}
	cmd := &cobra.Command{
		Use: "bootstrap", Short: "Install the stack and all that it needs on this machine, and start it", GroupID: groupBoot, Args: cobra.NoArgs,
		Long: `Makes a fresh Debian or Ubuntu with systemd run the stack. Run it as root in the project's directory. It installs Node.js and
a Docker Engine, or redis-server and postgresql, from the distribution's packages if they are missing; makes the user
devstack, the directories and /etc/devstack/PROJECT.env with the names of the required variables; copies both executables to
/usr/local/bin; builds what is missing; limits the logs; writes the units of devstack startup; and starts the stack until it
is ready. Run again, it does what has changed or was not finished. Newer executables take over without a restart of the
processes.

--check changes nothing and ends with 0, or with 10 if something is to be done, or with the code of what only a person can
repair. --cloud-init prints a cloud-config that does the same at the first boot of a new machine; it holds no secret.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.sensible(); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return askMachine(cmd.Context(), f, api.EndpointBootstrap, o.BootstrapRequest)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.User, "user", "devstack", "run as this user; only devstack is made if it is missing")
	flags.StringVar(&o.Infra, "infra", "auto", "what runs the services: auto, docker or native")
	flags.BoolVar(&o.Check, "check", false, "change nothing; print what is not as it should be")
	flags.BoolVar(&o.DryRun, "dry-run", false, "change nothing; print every step and its commands")
	flags.BoolVar(&o.NoStart, "no-start", false, "do everything but start the stack")
	flags.DurationVar(&o.Timeout, "timeout", 5*time.Minute, "how long to wait until the stack is ready")
	flags.BoolVar(&o.JSON, "json", false, "print the steps as JSON")
	flags.BoolVar(&o.CloudInit, "cloud-init", false, "print a cloud-config for a new machine")
	flags.StringVar(&o.Source, "source", "", "cloud-init: the project's git repository or tar archive, a `URL` or a path on the new machine")
	flags.StringVar(&o.Executables, "executables", "", "cloud-init: a tar archive with devstack and devstackd, `URL` or path (default: the project's bin)")
	flags.StringVar(&o.Dir, "dir", "", "cloud-init: the project's `DIR` on the new machine (default: /opt/PROJECT)")
	return cmd
}

// sensible refuses flags that exclude each other.
func (o *BootstrapOptions) sensible() error {
	switch {
	case o.Check && o.DryRun:
		return usageError("--check and --dry-run exclude each other: use one of them")
	case !o.CloudInit && (o.Source != "" || o.Executables != "" || o.Dir != ""):
		return usageError("--source, --executables and --dir need --cloud-init")
	case o.Timeout <= 0:
		return errTimeout()
	case o.CloudInit && o.Source == "":
		return usageError("--cloud-init needs --source, from which the new machine fetches the project")
	}
	return knownInfra(o.Infra)
}
