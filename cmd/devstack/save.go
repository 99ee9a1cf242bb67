package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// SaveOptions is what `devstack save` was asked for.
type SaveOptions struct {
	*Factory
	JSON bool
}

func newCmdSave(f *Factory, runF func(context.Context, *SaveOptions) error) *cobra.Command {
	o := &SaveOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "save",
		Aliases: []string{"dump"},
		Short:   "Save which apps are stopped or scaled, for devstack resurrect, and show it",
		GroupID: groupStack,
		Args:    cobra.NoArgs,
		Long: `Writes which apps and instances are stopped and how many instances the scaled apps have, for devstack resurrect, and
shows it. The daemon does so by itself after every up, start, stop, delete and scale; devstack down changes nothing of it.
The file has names and numbers, no environment: that comes from who runs devstack resurrect.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return saveRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func saveRun(ctx context.Context, o *SaveOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	saved, err := o.Client(p).Save(ctx)
	if err != nil {
		return needsStack(p, err)
	}
	if o.JSON {
		return writeJSON(o.IO.Out, saved)
	}
	fmt.Fprint(o.IO.Out, renderSaved(saved))
	return nil
}

func renderSaved(s *api.Saved) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Path)
	stopped := slices.Clone(s.Stopped)
	for _, name := range slices.Sorted(maps.Keys(s.StoppedInstances)) {
		for _, n := range s.StoppedInstances[name] {
			stopped = append(stopped, fmt.Sprintf("%s (instance %d)", name, n))
		}
	}
	fmt.Fprintln(&b, "stopped:", orNothing(stopped))
	if len(s.Started) > 0 {
		fmt.Fprintln(&b, "started:", strings.Join(s.Started, ", "))
	}
	scaled := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.Instances)) {
		scaled = append(scaled, fmt.Sprintf("%s to %d", name, s.Instances[name]))
	}
	fmt.Fprintln(&b, "scaled: ", orNothing(scaled))
	return b.String()
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
