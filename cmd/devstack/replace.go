package main

import (
	"context"
	"errors"

	"devstack/daemon/api"
	"devstack/procs/keeper/protocol"
)

// prepareUp makes sure that a keeper runs at the project's own path. What is in its way is ended before, and that is said.
func prepareUp(ctx context.Context, o *UpOptions, p *project) error {
	p.Location = p.own
	return o.Spawn(p, func(h *protocol.Holder) error { return replaceStack(ctx, o, p, h) })
}

// replaceStack ends the stack of a keeper that is in the way of p's. Its services stay where the next stack finds them again:
// containers by the name of the project, native servers by its path, too.
func replaceStack(ctx context.Context, o *UpOptions, p *project, h *protocol.Holder) error {
	next, err := o.stateFromFiles(ctx, p) // files that cannot be read end nothing
	if err != nil {
		return err
	}
	client := api.NewClient(h.Socket)
	state, err := client.State(ctx)
	if err == nil {
		keep := state.Project == next.Project && (h.ID == p.ID || !hasNativeServers(state))
		what := ""
		if !keep && len(state.Services) > 0 {
			what = ", with its services"
		}
		o.note(displacedBy(p, h) + ": ending it" + what + ", and starting anew")
		err = endStack(ctx, o, client, keep)
	}
	if err != nil && !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	return o.WaitGone(ctx, p.Dir, h.StateDir)
}

// displacedBy says why a stack cannot go on.
func displacedBy(p *project, h *protocol.Holder) string {
	if h.Dir == p.Dir {
		return "the stack that runs was started in the directory that was " + p.Dir + " before"
	}
	return "this directory was " + h.Dir + " when the stack that runs was started"
}

func endStack(ctx context.Context, o *UpOptions, client *api.Client, keepInfra bool) error {
	result, err := o.action("down", func(each func(api.Event)) (*api.Result, error) {
		return client.Down(ctx, api.DownRequest{KeepInfra: keepInfra}, each)
	})
	if err != nil || result.Exit == api.ExitDone {
		return err
	}
	return o.finish(result, false)
}

func hasNativeServers(s *api.State) bool {
	for _, service := range s.Services {
		if service.Driver == "native" {
			return true
		}
	}
	return false
}
