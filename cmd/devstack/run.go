package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// RunOptions is what `devstack run` was asked for.
type RunOptions struct {
	*Factory
	Name    string
	Timeout time.Duration
}

func newCmdRun(f *Factory, runF func(context.Context, *RunOptions) error) *cobra.Command {
	o := &RunOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Run a one_shot, also one that has done its work, and show what it said",
		Long: "Runs an app with one_shot: true, whether or not it has completed before, waits for its end and prints the last lines of\n" +
			"this run; devstack logs NAME has all. It waits for what it depends on; if no stack runs, devstack starts that, and nothing\n" +
			"else. A failure ends with 7.",
		GroupID:           groupStack,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if o.Timeout <= 0 {
				return errTimeout()
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return runRun(cmd.Context(), o)
		},
	}
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait")
	return cmd
}

func runRun(ctx context.Context, o *RunOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := isOneShot(ctx, o.Factory, p, o.Name); err != nil {
		return err
	}
	client, request := o.Client(p), api.ActionRequest{Names: []string{o.Name}, Timeout: o.Timeout, Environment: o.Environ()}
	began := time.Now()
	err = o.act(ctx, p, string(api.Start), false, func(each func(api.Event)) (*api.Result, error) { return client.Act(ctx, api.Start, request, each) })
	if errors.Is(err, api.ErrNotRunning) {
		err = upRun(ctx, &UpOptions{Factory: o.Factory, Names: request.Names, Infra: "auto", Timeout: o.Timeout})
	}
	if err != nil {
		return err // with its last lines
	}
	d, err := client.Describe(ctx, o.Name)
	if err != nil {
		return needsStack(p, err)
	}
	for _, process := range d.Process {
		for _, exit := range process.Exits {
			if exit.At.Before(began) {
				continue
			}
			for _, line := range exit.LastLines {
				fmt.Fprintln(o.IO.Out, printable(line))
			}
		}
	}
	return nil
}

// isOneShot refuses a name that is no one_shot of the files, before anything is started.
func isOneShot(ctx context.Context, f *Factory, p *project, name string) error {
	answer, result, err := ask(ctx, f, p.Files, api.EndpointConfig, api.ConfigRequest{JSON: true})
	if err != nil {
		return err
	}
	if answer == nil {
		return f.ended(result, false)
	}
	var config struct {
		Apps []struct {
			Name     string
			Settings []struct {
				Key   string
				Value any
			}
		}
	}
	if err := json.Unmarshal([]byte(answer.Text), &config); err != nil {
		return err
	}
	oneShots := []string{}
	for _, app := range config.Apps {
		for _, s := range app.Settings {
			if s.Key == "one_shot" && s.Value == true {
				oneShots = append(oneShots, app.Name)
			}
		}
	}
	if slices.Contains(oneShots, name) {
		return nil
	}
	refused := &api.Error{Exit: api.ExitUsage, Message: name + " is no app with one_shot: true", Hint: "devstack start " + name}
	if len(oneShots) > 0 {
		refused.Message += "; those are " + strings.Join(oneShots, ", ")
	}
	return refused
}
