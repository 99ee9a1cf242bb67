package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
)

// HealthOptions is what `devstack health` was asked for.
type HealthOptions struct {
	*Factory
	Names []string
	JSON  bool
}

func newCmdHealth(f *Factory, runF func(context.Context, *HealthOptions) error) *cobra.Command {
	o := &HealthOptions{Factory: f}
	cmd := &cobra.Command{
		Use:               "health [NAME...]",
		Short:             "Probe services and processes now; the exit code says whether all are healthy",
		GroupID:           groupLook,
		ValidArgsFunction: f.completeNames,
		Long: `Asks every service, and every process that has a healthcheck, right now. A process without one is
healthy when it is alive and ready.

Ends with 0 if all are healthy, 5 if a service is not, 7 if a process is not, 8 if no stack runs.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return healthRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func healthRun(ctx context.Context, o *HealthOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	h, err := o.Client(p).Health(ctx, api.HealthRequest{Names: o.Names})
	if err != nil {
		return needsStack(p, err)
	}
	if o.JSON {
		err = writeJSON(o.IO.Out, h)
	} else {
		fmt.Fprint(o.IO.Out, renderHealth(h, o.IO.TableWidth(), o.IO.OutStyle()))
	}
	if err != nil || h.Exit == api.ExitDone {
		return err
	}
	return &exitError{h.Exit}
}

func renderHealth(h *api.Health, width int, c style) string {
	t := &table{header: []string{"NAME", "KIND", "HEALTH", "PROBED BY", "TOOK", "DETAIL"}, right: []bool{false, false, false, false, true, false}}
	for _, check := range h.Checks {
		took := "-"
		if check.ProbedBy != "none" && check.ProbedBy != "ipc" {
			took = fmt.Sprintf("%dms", check.TookMS)
		}
		name := format.Instance(check.Name, check.Instance)
		t.rows = append(t.rows, []string{name, check.Kind, string(check.Health), check.ProbedBy, took, printable(check.Detail)})
	}
	if len(t.rows) == 0 {
		return "The stack is empty.\n"
	}
	t.paint = func(row, column int, text string) string {
		switch {
		case row < 0:
			return c.bold(text)
		case column == 2:
			return paintStatus(c, strings.TrimSpace(text), text)
		}
		return text
	}
	return t.render(width, 5, 0)
}
