package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// PreflightOptions is what `devstack preflight` was asked for.
type PreflightOptions struct {
	*Factory
	JSON bool
}

func newCmdPreflight(f *Factory, runF func(context.Context, *PreflightOptions) error) *cobra.Command {
	o := &PreflightOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "preflight",
		Aliases: []string{"doctor"},
		Short:   "Check everything that up needs, and say how to fix what is missing",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		Long: `Runs every check of up at once: files, environment, build, Node, engine, images, ports. Starts nothing.

Ends with the exit code that up would end with.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return preflightRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func preflightRun(ctx context.Context, o *PreflightOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	checks, result, err := ask(ctx, o.Factory, p.Files, api.EndpointPreflight, api.PreflightRequest{})
	switch {
	case err != nil:
		return err
	case checks == nil:
	case o.JSON:
		err = writeJSON(o.IO.Out, checks)
	default:
		fmt.Fprint(o.IO.Out, renderChecks(*checks, o.IO.OutStyle()))
	}
	return errors.Join(err, o.ended(result, false))
}

func renderChecks(checks []api.Check, c style) string {
	width := 0
	for _, check := range checks {
		width = max(width, len([]rune(check.Name)))
	}
	var out strings.Builder
	for _, check := range checks {
		mark := c.green("✔")
		switch check.Status {
		case "warning":
			mark = c.yellow("!")
		case "failed":
			mark = c.red("✗")
		}
		fmt.Fprintf(&out, "%s %s  %s\n", mark, pad(check.Name, width), check.Detail)
		if check.Status != "ok" && check.Fix != "" {
			fmt.Fprintf(&out, "  %s  fix: %s\n", pad("", width), check.Fix)
		}
	}
	return out.String()
}
