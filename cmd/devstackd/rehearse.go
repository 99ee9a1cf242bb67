package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"devstack/daemon/api"
	"devstack/profiles/prod/rehearse"
	"devstack/stack"
)

// runRehearse proves production definitions on real engines.
func runRehearse(ctx context.Context, c *command, args []string) error {
	o, markdown, err := c.rehearseFlags(args)
	if err != nil {
		return err
	}
	report, err := rehearse.Rehearse(ctx, o)
	if errors.Is(err, context.Canceled) {
		return &api.Error{Exit: api.ExitInterrupted, Message: "interrupted: what was started is removed"}
	}
	if len(report.Checks) > 0 {
		if shown := c.showRehearsal(report, markdown); shown != nil {
			return shown
		}
	}
	if err != nil {
		return err
	}
	if !report.OK() {
		return silent{api.ExitRehearsal}
	}
	return nil
}

func (c *command) showRehearsal(report rehearse.Report, markdown string) error {
	if markdown != "" {
		if err := os.MkdirAll(filepath.Dir(markdown), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(markdown, []byte(report.Markdown()), 0o644); err != nil {
			return err
		}
	}
	if c.json {
		return c.writeJSON(report)
	}
	_, err := fmt.Fprint(c.stdout, report.Text())
	return err
}

// rehearseFlags reads the flags that cmd/devstack's rehearse documents.
func (c *command) rehearseFlags(args []string) (o rehearse.Request, markdown string, err error) {
	var set, image pairs
	var trial string
	o.Progress, o.Secrets = c.stderr, map[string]string{}
	c.flags.StringVar(&o.Base, "base", "", "")
	c.flags.StringVar(&trial, "trial", "", "")
	c.flags.StringVar(&o.Context, "context", "", "")
	c.flags.StringVar(&o.Registry, "registry", "", "")
	c.flags.StringVar(&markdown, "markdown", "", "")
	c.flags.BoolVar(&o.Keep, "keep", false, "")
	c.flags.Func("set", "", set.add)
	c.flags.Func("image", "", image.add)
	c.flags.Func("secret", "", func(name string) error {
		value, ok := os.LookupEnv(name)
		if !ok {
			return fmt.Errorf("%s is not set here", name)
		}
		o.Secrets[name] = value
		return nil
	})
	if err := c.parse(args); err != nil {
		return o, "", err
	}
	if c.prof != "" && c.prof != "prod" {
		return o, "", &api.Error{Exit: api.ExitUsage, Message: "rehearse is of the prod profile, not of " + c.prof}
	}
	if o.Targets = c.flags.Args(); len(o.Targets) == 0 {
		o.Targets = []string{"compose", "ecs"}
	}
	if trial != "" {
		code, err := os.ReadFile(trial)
		if err != nil {
			return o, "", &api.Error{Exit: api.ExitUsage, Message: "cannot read the trial: " + err.Error()}
		}
		o.Trial = string(code)
	}
	if o.Export.Load.File = c.file; o.Export.Load.File == "" {
		if o.Export.Load.File, err = stack.Find(".", ""); err != nil {
			return o, "", err
		}
	}
	for _, name := range set.names {
		o.Export.Load.Params = append(o.Export.Load.Params, name+"="+set.values[name])
	}
	o.Export.Load.Project, o.Export.Model.Images = c.name, image.values
	return o, markdown, nil
}
