package daemon

import (
	"context"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// describe is everything known about what a word means, or why it means nothing. Secrets are masked.
func describe(st *stack.Stack, word string, closed map[string][]string, services []view.ServiceDetails, processes []procs.Process, now time.Time) (*api.Description, *api.Error) {
	d := &api.Description{Project: st.Project, Process: []api.ProcessDetails{}}
	for _, s := range services {
		if s.Name == word {
			d.Service = describeService(s, services)
			return d, nil
		}
	}
	picked, err := pick(st, processes, []string{word})
	if err != nil {
		return nil, err
	}
	for _, p := range picked.processes {
		i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name })
		if i >= 0 {
			d.Process = append(d.Process, describeProcess(st.Apps[i].Instance(p.Instance), p, closed[p.Name], now))
		}
	}
	return d, nil
}

// addLinks says of the ports of described processes which of them answer.
func addLinks(ctx context.Context, st *stack.Stack, d *api.Description) {
	var processes []procs.Process
	for _, p := range d.Process {
		processes = append(processes, procs.Process{ProcessDetails: p.ProcessDetails})
	}
	all := links(ctx, st, processes)
	for i, p := range d.Process {
		d.Process[i].Links = slices.DeleteFunc(slices.Clone(all), func(l api.Link) bool { return l.Name != p.Name || l.Instance != p.Instance })
	}
}

// describeService is a service with its gates, among all services.
func describeService(s view.ServiceDetails, all []view.ServiceDetails) *view.ServiceDetails {
	s.Detail, s.Probes = stack.MaskText(s.Detail), maskedProbes(s.Probes)
	s.DependsOn = slices.Clone(s.DependsOn)
	for i, d := range s.DependsOn {
		s.DependsOn[i].Open = open(serviceDependency(d), all, nil)
	}
	return &s
}

// serviceDependency is one edge between services.
func serviceDependency(d view.DependsOn) stack.Dependency {
	return stack.Dependency{Name: d.Name, Service: true, Condition: stack.Condition(d.Condition)}
}

func describeProcess(app stack.App, p procs.Process, closed []string, now time.Time) api.ProcessDetails {
	v := api.ProcessDetails{
		ProcessDetails: p.ProcessDetails, Command: stack.MaskArgs(commandLine(app)), Cwd: app.Cwd, Environment: []api.EnvironmentItem{},
		OutFile: app.OutFile, ErrorFile: app.ErrorFile, LogFile: app.LogFile, DependsOn: []view.DependsOn{}, Links: []api.Link{},
		MaxMemoryBytes: orNull(app.MaxMemory), MaxRestarts: app.MaxRestarts,
		CronRestart: view.Text(app.CronRestart), NextCronAt: orNull(app.NextCronRestart(now)),
	}
	v.Process = processView(p, now)
	v.LastError, v.Probes, v.Exits = masked(p.LastError), maskedProbes(p.Probes), maskedExits(p.Exits)
	for _, e := range app.Environment {
		if e.Declared {
			v.Environment = append(v.Environment, api.EnvironmentItem{Key: e.Key, Value: stack.Mask(e.Key, e.Value), Origin: e.Origin})
		}
	}
	for _, d := range app.DependsOn {
		isOpen := !slices.Contains(closed, d.Name)
		v.DependsOn = append(v.DependsOn, view.DependsOn{Name: d.Name, Condition: string(d.Condition), Open: isOpen})
	}
	return v
}

func masked(t view.Text) view.Text { return view.Text(stack.MaskText(string(t))) }

// maskedExits are the exits without secrets in their causes.
func maskedExits(exits []view.ExitRecord) []view.ExitRecord {
	out := slices.Clone(exits)
	for i := range out {
		out[i].Cause = masked(out[i].Cause)
	}
	return out
}

// maskedProbes are the probes without secrets: a server may repeat what it was asked.
func maskedProbes(probes []view.Probe) []view.Probe {
	out := slices.Clone(probes)
	for i := range out {
		out[i].Detail = stack.MaskText(out[i].Detail)
	}
	return out
}

// commandLine is what the definition says is run.
func commandLine(app stack.App) []string {
	if len(app.Command) > 0 {
		return slices.Concat(app.Command, app.Args)
	}
	line := []string{app.Script}
	if app.Interpreter != "" && app.Interpreter != "none" {
		line = slices.Concat([]string{app.Interpreter}, app.NodeArgs, line)
	}
	return append(line, app.Args...)
}
