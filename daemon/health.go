package daemon

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/probe"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

func (l looks) health(w http.ResponseWriter, r *http.Request) {
	req, ok := decode[api.HealthRequest](w, r)
	if !ok {
		return
	}
	st, services, processes := l.all()
	if st == nil {
		refuse(w, http.StatusNotFound, unknownName(nil, ""))
		return
	}
	services, processes, unknown := toProbe(st, services, processes, req.Names)
	if unknown != "" {
		refuse(w, http.StatusNotFound, unknownName(st, unknown))
		return
	}
	answer := api.Health{Project: st.Project, Checks: l.probeAll(r.Context(), services, processes)}
	answer.Exit = healthCode(answer.Checks)
	answer.Healthy = answer.Exit == api.ExitDone
	reply(w, answer)
}

// toProbe is what names mean; unknown is the first that means nothing. No names leave out processes that are not started
// by themselves and that nobody has started.
func toProbe(
	st *stack.Stack, services []view.ServiceDetails, processes []procs.Process, names []string,
) (pickedServices []view.ServiceDetails, pickedProcesses []procs.Process, unknown string) {
	processes = slices.DeleteFunc(slices.Clone(processes), func(p procs.Process) bool { return p.Leaving })
	met := map[string]bool{}
	for _, s := range services {
		if len(names) == 0 || slices.Contains(names, s.Name) {
			pickedServices = append(pickedServices, s)
			met[s.Name] = true
		}
	}
	idle := map[string]bool{}
	for _, app := range st.Apps {
		idle[app.Name] = !app.Autostart
	}
	chosen := map[int]bool{}
	for _, name := range names {
		found, err := meant(name, processes)
		met[name] = met[name] || err == nil && (len(found) > 0 || name == "all")
		for _, p := range found {
			chosen[p.ID] = true
		}
	}
	for _, p := range processes {
		unasked := len(names) == 0 && (!idle[p.Name] || !p.Status.Rests())
		if unasked || chosen[p.ID] {
			pickedProcesses = append(pickedProcesses, p)
		}
	}
	for _, name := range names {
		if !met[name] {
			return nil, nil, name
		}
	}
	return pickedServices, pickedProcesses, ""
}

// probeAll asks everything at the same time.
func (l looks) probeAll(ctx context.Context, services []view.ServiceDetails, processes []procs.Process) []api.HealthCheck {
	containers := l.d.containers.get()
	checks := make([]api.HealthCheck, len(services)+len(processes))
	var work sync.WaitGroup
	for i, s := range services {
		work.Go(func() {
			began := time.Now()
			r := probe.Result{Ready: s.Ready, Detail: s.Detail}
			if containers != nil {
				r = containers.Check(ctx, s.Name)
			}
			checks[i] = serviceHealth(s, r)
			checks[i].TookMS = time.Since(began).Milliseconds()
		})
	}
	for i, p := range processes {
		work.Go(func() {
			began := time.Now()
			r, checked := l.d.procs.Check(ctx, p.ID)
			check := &checks[len(services)+i]
			*check = processHealth(p, r, checked)
			check.TookMS = time.Since(began).Milliseconds()
		})
	}
	work.Wait()
	return checks
}

func serviceHealth(s view.ServiceDetails, r probe.Result) api.HealthCheck {
	c := api.HealthCheck{Name: s.Name, Kind: "service", ProbedBy: "probe", Health: "unhealthy", Detail: stack.MaskText(r.Detail)}
	switch {
	case r.Ready && (s.Health == view.HealthRunning || s.Health == view.HealthCompleted): // nobody was asked
		c.Health, c.ProbedBy = s.Health, "none"
	case r.Ready:
		c.Health = "healthy"
	case s.State == "unknown":
		c.ProbedBy, c.Detail = "none", s.Detail
	case s.State != "running" && s.Driver != "none":
		c.Health, c.ProbedBy = "stopped", "none"
	case s.Health == view.HealthStarting && !r.Broken:
		c.Health = "starting"
	}
	return c
}

// processHealth judges by what the readiness of a process rests on, asked anew where it can be asked. What rests on nothing is
// unchecked, and is not called healthy.
func processHealth(p procs.Process, r probe.Result, checked bool) api.HealthCheck {
	c := api.HealthCheck{Name: p.Name, Kind: "process", Instance: p.Instance, ProbedBy: string(p.ReadyBy), Health: "starting"}
	switch {
	case p.Status == view.Completed:
		c.Health, c.ProbedBy, c.Detail = view.HealthCompleted, "none", "has done its work"
	case p.Pid == nil || p.Status == view.Stopping:
		c.Health, c.ProbedBy, c.Detail = "stopped", "none", string(p.Status)
		if p.Status == view.Errored || p.Status == view.WaitingRestart {
			c.Health, c.Detail = "unhealthy", string(p.Status)+": "+ending(p)
		}
	case checked:
		c.Detail = stack.MaskText(r.Detail)
		switch {
		case r.Ready:
			c.Health, c.ProbedBy = "healthy", string(r.By)
		case p.Ready:
			c.Health = "unhealthy"
		}
	case p.Ready && p.ReadyBy == view.Text(probe.Unchecked):
		c.Health, c.ProbedBy, c.Detail = view.HealthUnchecked, "none", "runs, and nothing tells whether it is ready: give it a port or a healthcheck"
	case p.Ready:
		c.Health, c.Detail = "healthy", "said so when it was launched"
	case p.Status == view.Online: // of a one_shot that is at work, only the end can tell
		c.Health, c.ProbedBy, c.Detail = view.HealthRunning, "none", "is doing its work"
	default:
		c.Detail = "runs, and is not ready yet (" + string(p.ReadyBy) + ")"
	}
	return c
}

// healthCode is the exit code that the checks deserve.
func healthCode(checks []api.HealthCheck) api.Code {
	codes := []api.Code{}
	for _, c := range checks {
		switch {
		case c.Health == "healthy", c.Health == view.HealthRunning, c.Health == view.HealthCompleted, c.Health == view.HealthUnchecked:
		case c.Kind == "service":
			codes = append(codes, api.ExitEngine)
		default:
			codes = append(codes, api.ExitProcess)
		}
	}
	return api.First(codes...)
}
