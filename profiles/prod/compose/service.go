package compose

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"unicode/utf8"

	"devstack/profiles/prod"
	"devstack/stack"
)

const (
	// pids is what fork bombs meet; Node.js has about a dozen threads.
	pids = 512
	// tmp is writable memory, part of the memory limit.
	tmp = "/tmp:size=64m,mode=1777"
	// onRequest is the profile of services that `up` does not start.
	onRequest = "cron"
)

// workload is an app's service, with the entries about it.
func (r *renderer) workload(w prod.Workload) service {
	image := literal(w.Image.Reference)
	if image == "" {
		image = r.given.image(w.Image.Variable, "the image "+w.Image.Repository+" with its digest")
	}
	s := service{
		Image:      image,
		Labels:     map[string]string{"devstack.app": literal(w.App), "devstack.kind": string(w.Kind)},
		Entrypoint: literals(w.Command), WorkingDir: target(w.WorkDir), User: fmt.Sprintf("%d:%d", w.User, w.User),
		Environment: r.environment(w),
		Ports:       r.ports(w),
		DependsOn:   r.dependsOn(w),
		Healthcheck: r.healthcheck(w),
		Restart:     restart(w.Restart),
		StopSignal:  w.Stop.Signal, StopGracePeriod: stack.FormatDuration(w.Stop.Grace),
		Init: true, ReadOnly: true, Tmpfs: []string{tmp},
		CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges:true"},
		CPUShares: max(2, w.CPUMillis*1024/1000),
		Deploy:    deploy{Replicas: replicas(w), Resources: memory(w.Memory.Limit, w.Memory.Reservation, pids)},
		Swap:      w.Memory.Limit,
		Logging:   logs(w.Logs),
	}
	for _, p := range w.Ports {
		s.Expose = append(s.Expose, strconv.Itoa(p.Number))
	}
	if w.Kind == prod.Cron {
		s.Profiles = []string{onRequest}
		s.Labels["devstack.schedule"] = literal(w.Schedule.Expression)
	}
	r.about(w)
	return s
}

// replicas is said where it is not one. What a profile keeps from starting is run on request.
func replicas(w prod.Workload) *int {
	if w.Replicas == 1 || w.Kind == prod.Cron {
		return nil
	}
	return &w.Replicas
}

func restart(how prod.Restart) string {
	switch how {
	case prod.Always:
		return "unless-stopped"
	case prod.OnFailure:
		return "on-failure"
	}
	return "no"
}

func memory(limit, reservation int64, pids int) resources {
	out := resources{Limits: limits{Memory: strconv.FormatInt(limit, 10), Pids: pids}}
	if reservation > 0 {
		out.Reservations.Memory = strconv.FormatInt(reservation, 10)
	}
	return out
}

func logs(l prod.Logs) logging {
	return logging{Driver: "json-file", Options: map[string]string{
		"max-size": strconv.FormatInt(l.MaxSize, 10), "max-file": strconv.Itoa(l.MaxFiles),
	}}
}

// environment is every variable that the process sees, values as they are and secrets as places for them.
func (r *renderer) environment(w prod.Workload) map[string]string {
	out := map[string]string{}
	for _, v := range w.Config {
		if !utf8.ValidString(v.Value) {
			r.Refuse(w, "env."+v.Name, "its value is not UTF-8, which is all that YAML has", "encode it, in base64 for example")
		}
		out[v.Name] = literal(v.Value)
	}
	for _, s := range w.Secrets {
		if !interpolated.MatchString(s.Name) {
			r.Refuse(w, "env."+s.Name, "Compose takes no variable of this name from outside", "use letters, digits and underscores, or write its value in env")
		}
		out[s.Name] = r.given.secret(w.Name, s)
	}
	return out
}

// checkPublish finds addresses for apps that cannot have one.
func (r *renderer) checkPublish() error {
	for _, name := range slices.Sorted(maps.Keys(r.options.Publish)) {
		address := r.options.Publish[name]
		i := slices.IndexFunc(r.Model.Workloads, func(w prod.Workload) bool { return w.App == name })
		if i < 0 {
			return &stack.UnknownError{Kind: "app", Name: name}
		}
		w := r.Model.Workloads[i]
		switch host, port, err := net.SplitHostPort(address); {
		case err != nil || net.ParseIP(host) == nil || port == "":
			r.Refuse(w, "port", "it cannot be published at "+strconv.Quote(address), "write an address and a port: 127.0.0.1:3000")
		case len(w.Ports) == 0:
			r.Refuse(w, "port", "it has no port to publish", "give it a port")
		case w.Replicas > 1:
			r.Refuse(w, "instances", "several containers cannot share one published port", "publish a proxy, which reaches all of them by the name "+w.Name)
		}
	}
	return nil
}

func (r *renderer) ports(w prod.Workload) []string {
	address, published := r.options.Publish[w.App]
	if !published || len(w.Ports) == 0 {
		return nil
	}
	return []string{address + ":" + strconv.Itoa(w.Ports[0].Number)}
}

// dependsOn orders what docker compose starts itself. A condition that nothing can fulfil would keep it from starting.
func (r *renderer) dependsOn(w prod.Workload) map[string]condition {
	out := map[string]condition{}
	for _, e := range w.Edges {
		if c, ok := r.condition(e); ok {
			out[e.Name] = condition{string(c)}
		}
	}
	return out
}

// condition is how an edge is ordered; not ok: what it leads to is not started by `up`.
func (r *renderer) condition(e prod.Edge) (stack.Condition, bool) {
	healthy, started := false, false
	for _, w := range r.Model.Workloads {
		if !e.Backing && w.Name == e.Name {
			started = w.Kind != prod.Cron && w.Replicas > 0
			healthy = w.ProbeArgv() != nil
		}
	}
	for _, b := range r.Model.Backing {
		if e.Backing && b.Name == e.Name && b.Container != nil {
			started, healthy = true, b.Container.Probe != nil
		}
	}
	if e.Condition == stack.Healthy && !healthy {
		return stack.Started, started
	}
	return e.Condition, started
}

func (r *renderer) healthcheck(w prod.Workload) *healthcheck {
	argv := w.ProbeArgv()
	if argv == nil {
		return nil
	}
	return check(argv, *w.Probe)
}

func check(argv []string, p prod.Probe) *healthcheck {
	h := &healthcheck{
		Test: append([]string{"CMD"}, literals(argv)...), Interval: stack.FormatDuration(p.Interval),
		Timeout: stack.FormatDuration(p.Timeout), Retries: p.Retries,
	}
	if p.StartPeriod > 0 {
		h.StartPeriod = stack.FormatDuration(p.StartPeriod)
	}
	return h
}
