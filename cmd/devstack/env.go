package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
)

// EnvOptions is what `devstack env` was asked for.
type EnvOptions struct {
	*Factory
	Name        string
	ShowSecrets bool
	JSON        bool
}

func newCmdEnv(f *Factory, runF func(context.Context, *EnvOptions) error) *cobra.Command {
	o := &EnvOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "env NAME",
		Short:   "Show the environment of processes and where each value comes from",
		GroupID: groupLook,
		Args:    cobra.ExactArgs(1),
		Long: `Shows every variable that the named process is launched with and its origin: port, shell, env, env_file, the stack's
env_file, or instance. What sounds like a secret is masked. A key that was removed from the files is gone.`,
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return envRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.ShowSecrets, "show-secrets", false, "show secrets as they are")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func envRun(ctx context.Context, o *EnvOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	all, err := o.Client(p).Env(ctx, o.Name, o.ShowSecrets)
	if err != nil {
		return needsStack(p, err)
	}
	if o.JSON {
		return writeJSON(o.IO.Out, all)
	}
	fmt.Fprint(o.IO.Out, renderEnvironments(all, o.IO.OutStyle()))
	return nil
}

// renderEnvironments is one line for each variable; several processes have a title each.
func renderEnvironments(all []api.ProcessEnvironment, c style) string {
	s := &sheet{style: c}
	for i, e := range all {
		if i > 0 {
			s.WriteString("\n")
		}
		if len(all) > 1 {
			s.section(fmt.Sprintf("%s (id %d)", format.Instance(e.Name, e.Instance), e.ID))
		}
		for _, item := range e.Environment {
			fmt.Fprintf(s, "%s=%s  %s\n", item.Key, printable(item.Value), s.dim("("+item.Origin+")"))
		}
	}
	return s.String()
}
