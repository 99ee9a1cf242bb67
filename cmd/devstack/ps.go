package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// PsOptions is what `devstack ps` was asked for.
type PsOptions struct {
	*Factory
	JSON bool
	Now  func() time.Time
}

func newCmdPs(f *Factory, runF func(context.Context, *PsOptions) error) *cobra.Command {
	o := &PsOptions{Factory: f, Now: time.Now}
	cmd := &cobra.Command{
		Use:     "ps",
		Aliases: []string{"status", "ls", "list"},
		Short:   "List services and processes in one table",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return psRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func psRun(ctx context.Context, o *PsOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	state, err := o.Running(ctx, p)
	if errors.Is(err, api.ErrNotRunning) {
		if err := elsewhere(ctx, p); err != nil {
			return err
		}
		state, err = o.stateFromFiles(ctx, p)
	}
	if err != nil {
		return err
	}
	if o.JSON {
		return writeJSON(o.IO.Out, state)
	}
	fmt.Fprint(o.IO.Out, renderState(state, o.Now(), o.IO.TableWidth(), o.IO.OutStyle()))
	if state.Daemon == nil {
		fmt.Fprintln(o.IO.Err, "No stack is running in "+p.Dir+"; devstack up starts it.")
	}
	return nil
}

// stateFromFiles is what the files name and what the engine has of it, when no daemon runs.
func (f *Factory) stateFromFiles(ctx context.Context, p *project) (state *api.State, err error) {
	err = f.Once(ctx, p.Files, func(ctx context.Context, c *api.Client) error {
		state, err = c.State(ctx)
		return err
	})
	return state, err
}

// writeJSON writes v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
