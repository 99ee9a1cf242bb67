package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"devstack/daemon/api"
	"devstack/profiles/prod"
	"devstack/profiles/prod/export"
	"devstack/profiles/prod/rehearse"
	"devstack/view"
)

// rehearse proves production definitions on real engines.
func (o *once) rehearse(ctx context.Context, r api.RehearseRequest, tell func(view.Event)) (*api.Rehearsal, error) {
	if err := o.production("rehearse"); err != nil {
		return nil, err
	}
	secrets := map[string]string{}
	for _, name := range r.Secrets {
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, usage("cannot use the secret %s: this environment does not have it", name)
		}
		secrets[name] = value
	}
	report, err := rehearse.Rehearse(ctx, rehearse.Request{
		Targets: r.Targets, Base: r.Base, Secrets: secrets, Trial: r.Trial, Context: r.Context, Registry: r.Registry, Keep: r.Keep,
		Export:   export.Options{Load: o.loadOptions(r.Set), Model: prod.Options{Images: r.Images}},
		Progress: &lines{tell: tell},
	})
	if errors.Is(err, context.Canceled) {
		return nil, &api.Error{Exit: api.ExitInterrupted, Message: "interrupted: what was started is removed"}
	}
	if len(report.Checks) == 0 {
		return nil, err
	}
	data, failed := json.Marshal(report)
	if failed != nil {
		return nil, failed
	}
	if err == nil && !report.OK() {
		err = &api.Error{Exit: api.ExitRehearsal}
	}
	return &api.Rehearsal{Report: data, Text: report.Text(), Markdown: report.Markdown()}, err
}
