package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"devstack/daemon/api"
	"devstack/profiles/prod"
	"devstack/profiles/prod/drift"
	"devstack/profiles/prod/export"
	"devstack/stack"
)

// exportFlags is how an export is written or looked at.
type exportFlags struct {
	target                        string
	check, strict, adopt, mention bool
	set, autoscale                pairs
	export.Options
}

// pairs are NAME=VALUE flags; names are the left sides in the order given.
type pairs struct {
	names  []string
	values map[string]string
}

func (p *pairs) add(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not NAME=VALUE", text)
	}
	if p.values == nil {
		p.values = map[string]string{}
	}
	p.names = append(p.names, name)
	p.values[name] = value
	return nil
}

// runExport writes production definitions, or says how those on disk stand.
func runExport(ctx context.Context, c *command, args []string) error {
	o, err := c.exportFlags(args)
	if err != nil {
		return err
	}
	e, err := export.Render(ctx, o.target, o.Options)
	if err != nil {
		return err
	}
	losses := e.Report.Losses()
	if o.strict && len(losses) > 0 {
		fmt.Fprint(c.stderr, e.Report.Text(false))
		return &api.Error{
			Exit: api.ExitLosses, Message: fmt.Sprintf("nothing was written: %d keys would lose something", len(losses)),
			Hint: "change them for the prod profile, or export without --strict",
		}
	}
	if o.check {
		statuses, err := drift.Check(o.Dir, o.target, e.Files)
		if err != nil {
			return err
		}
		return c.showStatuses(o, statuses, e.Report)
	}
	changed, err := o.write(e)
	if err != nil {
		return c.explainRefusal(err)
	}
	return c.showExport(o, e, changed)
}

// exportFlags reads the flags that cmd/devstack's export documents.
func (c *command) exportFlags(args []string) (o exportFlags, err error) {
	var image, publish pairs
	c.flags.StringVar(&o.Dir, "out", "", "")
	c.flags.BoolVar(&o.check, "check", false, "")
	c.flags.BoolVar(&o.strict, "strict", false, "")
	c.flags.BoolVar(&o.adopt, "adopt", false, "")
	c.flags.BoolVar(&o.mention, "report", false, "")
	c.flags.BoolVar(&o.EC2, "ec2", false, "")
	c.flags.BoolVar(&o.GroupWorkers, "group-workers", false, "")
	c.flags.Func("set", "", o.set.add)
	c.flags.Func("image", "", image.add)
	c.flags.Func("publish", "", publish.add)
	c.flags.Func("autoscale", "", o.autoscale.add)
	c.flags.Func("container", "", func(name string) error {
		o.Model.Containers = append(o.Model.Containers, name)
		return nil
	})
	if err := c.parse(args); err != nil {
		return o, err
	}
	usage := func(message string) error { return &api.Error{Exit: api.ExitUsage, Message: message} }
	switch {
	case c.flags.NArg() != 1:
		return o, usage("export needs one target: " + strings.Join(export.Targets(), ", "))
	case c.prof != "" && c.prof != "prod":
		return o, usage("export is of the prod profile, not of " + c.prof)
	case o.check && o.adopt:
		return o, usage("--check writes nothing, and --adopt does")
	}
	o.target = c.flags.Arg(0)
	if o.Load.File = c.file; o.Load.File == "" {
		if o.Load.File, err = stack.Find(".", ""); err != nil {
			return o, err
		}
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(filepath.Dir(o.Load.File), "deploy", o.target)
	}
	for _, name := range o.set.names {
		o.Load.Params = append(o.Load.Params, name+"="+o.set.values[name])
	}
	o.Load.Project, o.Model.Images, o.Publish, o.Parameters = c.name, image.values, publish.values, o.set.values
	o.Autoscale = map[string]int{}
	for _, app := range o.autoscale.names {
		if o.Autoscale[app], err = strconv.Atoi(o.autoscale.values[app]); err != nil || o.Autoscale[app] < 1 {
			return o, usage(fmt.Sprintf("--autoscale %s needs a number of replicas, not %q", app, o.autoscale.values[app]))
		}
	}
	return o, nil
}

func (o exportFlags) write(e *export.Export) ([]string, error) {
	if o.adopt {
		return drift.ExportAdopting(o.Dir, o.target, e.Files, nil)
	}
	return drift.Export(o.Dir, o.target, e.Files)
}

// explainRefusal shows what somebody did to the files that are in the way.
func (c *command) explainRefusal(err error) error {
	var refused *drift.Error
	if !errors.As(err, &refused) {
		return err
	}
	for _, s := range refused.Refused {
		fmt.Fprint(c.stderr, s.Diff)
	}
	return &api.Error{Exit: api.Code(refused.Exit()), Message: refused.Error(), Hint: refused.Refused[0].Fix}
}

// exportAnswer is the JSON of an export.
type exportAnswer struct {
	Target  string         `json:"target"`
	Dir     string         `json:"dir"`
	State   drift.State    `json:"state"`
	Changed []string       `json:"changed"`
	Files   []drift.Status `json:"files"`
	Report  prod.Report    `json:"report"`
}

// showStatuses tells how the files on disk stand; their state is the exit code.
func (c *command) showStatuses(o exportFlags, statuses []drift.Status, report prod.Report) error {
	worst := drift.Worst(statuses)
	if c.json {
		if err := c.writeJSON(exportAnswer{o.target, o.Dir, worst, []string{}, statuses, report}); err != nil {
			return err
		}
	}
	for _, s := range statuses {
		if c.json || s.State == drift.OK {
			continue
		}
		fmt.Fprintf(c.stdout, "%-8s  %s\n", s.State, s.Path)
		fmt.Fprintf(c.stderr, "%s: %s\n%s", s.Path, s.Reason, s.Diff)
		if s.Fix != "" {
			fmt.Fprintln(c.stderr, "next: ", s.Fix)
		}
	}
	if worst == drift.OK {
		return nil
	}
	return silent{api.Code(worst.Exit())}
}

// showExport prints the changed paths, and what became of the keys.
func (c *command) showExport(o exportFlags, e *export.Export, changed []string) error {
	if c.json {
		statuses, err := drift.Check(o.Dir, o.target, e.Files)
		if err != nil {
			return err
		}
		return c.writeJSON(exportAnswer{o.target, o.Dir, drift.Worst(statuses), append([]string{}, changed...), statuses, e.Report})
	}
	for _, name := range changed {
		fmt.Fprintln(c.stdout, filepath.Join(o.Dir, filepath.FromSlash(name)))
	}
	if len(changed) == 0 {
		fmt.Fprintln(c.stderr, o.Dir, "is what it would be")
	}
	fmt.Fprint(c.stderr, e.Report.Text(o.mention))
	return nil
}

func (c *command) writeJSON(v any) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
