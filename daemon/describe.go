package daemon

import (
	"cmp"
	"slices"
	"time"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/procs"
	"devstack/stack"
)

// describe is everything known about what a word means, or why it means nothing. Secrets are masked.
func describe(st *stack.Stack, word string, closed map[string][]string, services []infra.Service, processes []procs.Process, now time.Time) (*api.Description, *api.Error) {
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
		i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.App })
		if i >= 0 {
			d.Process = append(d.Process, describeProcess(st.Apps[i].Instance(p.Instance), p, closed[p.App], now))
		}
	}
	return d, nil
}

func describeService(s infra.Service, all []infra.Service) *api.ServiceDetails {
	v := &api.ServiceDetails{
		Service: serviceView(s), ContainerName: s.ContainerName, DependsOn: []api.DependsOn{}, Probes: []api.ProbeRecord{},
		Exits: []api.ExitRecord{}, Volumes: orEmpty(s.Volumes), Networks: orEmpty(s.Networks), Detail: stack.MaskText(s.Detail),
	}
	for _, d := range s.DependsOn {
		dep := stack.Dependency{Name: d.Name, Service: true, Condition: stack.Condition(d.Condition)}
		v.DependsOn = append(v.DependsOn, api.DependsOn{Name: d.Name, Condition: d.Condition, Open: open(dep, all, nil)})
	}
	for _, p := range s.Probes {
		v.Probes = append(v.Probes, api.ProbeRecord{At: p.At, Ready: p.Ready, Detail: stack.MaskText(p.Detail)})
	}
	for _, e := range s.Exits {
		record := api.ExitRecord{Exit: api.Exit{Reason: "crash", At: e.At}, UptimeMS: e.Uptime.Milliseconds(), LastLines: orEmpty(e.LastLines)}
		if code := e.Code; code >= 0 {
			record.Code = &code
		}
		switch {
		case e.By != "":
			record.Reason = "manual"
		case e.OOM:
			record.Reason = "memory"
		}
		v.Exits = append(v.Exits, record)
	}
	return v
}

func describeProcess(app stack.App, p procs.Process, closed []string, now time.Time) api.ProcessDetails {
	v := api.ProcessDetails{
		Process: processView(p, now), Command: stack.MaskArgs(commandLine(app)), Cwd: app.Cwd, Environment: []api.EnvironmentItem{},
		OutFile: app.OutFile, ErrorFile: app.ErrorFile, LogFile: app.LogFile, DependsOn: []api.DependsOn{},
		Children: orEmpty(p.Children), Exits: []api.ExitRecord{}, Probes: []api.ProbeRecord{},
		NextRestartAt: orNull(p.NextRestartAt), MaxMemoryBytes: orNull(app.MaxMemory), MaxRestarts: app.MaxRestarts, Generation: p.Generation,
		CronRestart: orNull(app.CronRestart), NextCronAt: orNull(app.NextCronRestart(now)), RestartsBy: api.RestartsBy(p.RestartsBy),
		Held: held(app, p.Listening), Successor: successor(p.Heir),
	}
	if p.Retiring != nil {
		v.RetiringPid = orNull(p.Retiring.Pid)
	}
	for _, e := range app.Environment {
		if e.Declared {
			v.Environment = append(v.Environment, api.EnvironmentItem{Key: e.Key, Value: stack.Mask(e.Key, e.Value), Origin: e.Origin})
		}
	}
	for _, d := range app.DependsOn {
		isOpen := !slices.Contains(closed, d.Name)
		v.DependsOn = append(v.DependsOn, api.DependsOn{Name: d.Name, Condition: string(d.Condition), Open: isOpen})
	}
	for _, e := range p.Exits {
		v.Exits = append(v.Exits, api.ExitRecord{Exit: exitView(e), Cause: orNull(stack.MaskText(e.Cause)), UptimeMS: e.Uptime.Milliseconds(), LastLines: orEmpty(e.LastLines)})
	}
	for _, r := range p.Probes {
		v.Probes = append(v.Probes, api.ProbeRecord{At: r.At, Ready: r.Ready, Detail: stack.MaskText(r.Detail)})
	}
	return v
}

// held are the sockets that outlive a launch. One that was bound before the start is open on every address, whatever host
// the program has asked for.
func held(app stack.App, listening []procs.Port) []api.ProcessPort {
	all := []api.ProcessPort{}
	for _, l := range listening {
		socket := api.ProcessPort{Host: cmp.Or(l.Host, "*"), Port: l.Port}
		if app.HoldPort == "true" && l.Port == app.Port {
			socket.Host = "*"
		}
		if !slices.Contains(all, socket) {
			all = append(all, socket)
		}
	}
	return all
}

func successor(heir *procs.Beside) *api.Successor {
	if heir == nil {
		return nil
	}
	return &api.Successor{Pid: orNull(heir.Pid), Ready: heir.Ready}
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
