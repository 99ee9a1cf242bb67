package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
	"devstack/view"
)

// WhyOptions is what `devstack why` was asked for.
type WhyOptions struct {
	*Factory
	Name string
	JSON bool
	Now  func() time.Time
}

func newCmdWhy(f *Factory, runF func(context.Context, *WhyOptions) error) *cobra.Command {
	o := &WhyOptions{Factory: f, Now: time.Now}
	cmd := &cobra.Command{
		Use:               "why NAME",
		Short:             "Explain why an app or a service waits, restarted, failed or was stopped",
		GroupID:           groupLook,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return whyRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func whyRun(ctx context.Context, o *WhyOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	w, err := o.Client(p).Why(ctx, o.Name)
	if err != nil {
		return needsStack(p, err)
	}
	if o.JSON {
		return writeJSON(o.IO.Out, w)
	}
	fmt.Fprint(o.IO.Out, renderWhy(w, o.Now(), o.IO.OutStyle()))
	return nil
}

// renderWhy is the reasons as sentences, the most important first.
func renderWhy(w *api.Why, now time.Time, c style) string {
	var out strings.Builder
	for i, in := range w.Instances {
		if i > 0 {
			out.WriteString("\n")
		}
		name := format.Instance(in.Name, in.Instance)
		fmt.Fprintf(&out, "%s is %s: it %s.\n", c.bold(name), paintStatus(c, in.Status, in.Status), printable(in.Reason))
		renderBlockers(&out, in.WaitsFor, 1)
		for _, line := range whyFacts(w.Kind, in, now) {
			fmt.Fprintf(&out, "  %s\n", printable(line))
		}
		if e := in.LastFailure; e != nil {
			renderFailure(&out, *e, now, c)
		}
	}
	return out.String()
}

// renderBlockers are what a name waits for, and below each what that waits for itself.
func renderBlockers(out *strings.Builder, all []api.Blocker, depth int) {
	for _, b := range all {
		fmt.Fprintf(out, "%s- %s (%s), which is %s: it %s\n", strings.Repeat("  ", depth), b.Name, b.Condition, b.Status, printable(b.Reason))
		renderBlockers(out, b.WaitsFor, depth+1)
	}
}

func whyFacts(kind string, in api.WhyInstance, now time.Time) []string {
	var facts []string
	if in.StoppedAt != nil {
		facts = append(facts, "stopped "+format.Age(now.Sub(*in.StoppedAt))+" ago by "+stopper(in.StoppedBy))
	}
	if in.NextRestartAt != nil {
		facts = append(facts, "next restart in "+elapsed(in.NextRestartAt.Sub(now)))
	}
	if by := causes(in.Causes); in.Restarts > 0 && kind == "process" {
		facts = append(facts, strings.TrimSuffix("restarted "+times(in.Restarts)+": "+by, ": "))
	} else {
		if in.Restarts > 0 {
			facts = append(facts, "restarted "+times(in.Restarts))
		}
		if by != "" {
			facts = append(facts, "its last exits by cause: "+by)
		}
	}
	if in.RepairAttempts > 0 {
		facts = append(facts, "devstack has tried to bring it back "+times(in.RepairAttempts)+" in a row")
	}
	if p := in.LastProbe; p != nil {
		verdict := map[bool]string{true: "ready", false: "not ready"}[p.Ready]
		facts = append(facts, "probed "+format.Age(now.Sub(p.At))+" ago: "+strings.TrimSuffix(verdict+", "+p.Detail, ", "))
	}
	return facts
}

func renderFailure(out *strings.Builder, e view.ExitRecord, now time.Time, c style) {
	what := "last failure"
	if e.Succeeded() {
		what = "last exit"
	}
	fmt.Fprintf(out, "  %s %s ago: %s\n", what, format.Age(now.Sub(e.At)), printable(e.EndingAfter()))
	for _, line := range e.LastLines {
		fmt.Fprintf(out, "    %s\n", excerpt(line, c))
	}
	for _, file := range e.LogFiles {
		fmt.Fprintf(out, "  its log: %s\n", file)
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
