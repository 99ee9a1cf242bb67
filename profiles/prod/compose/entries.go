package compose

import (
	"strconv"

	"devstack/profiles/prod"
	"devstack/stack"
)

// about says what Compose does with an app otherwise than the general report.
func (r *renderer) about(w prod.Workload) {
	r.aboutProbe(w)
	r.aboutPort(w)
	r.aboutEdges(w)
	if w.Kind == prod.Cron {
		r.Dropped(w, "cron_restart", "Compose has no clock: the file defines the service and does not start it",
			"let the machine's cron or systemd run it: docker compose run --rm "+w.Name)
	}
	if w.Kind == prod.Job {
		r.Approximated(w, "one_shot", "every docker compose up runs it to its end", "let it do nothing when there is nothing to do")
	}
	if w.Kind == prod.Service && w.Restart == prod.Never {
		r.Mapped(w, "autorestart", "Compose does not restart it")
	}
	if w.Replicas > 1 {
		r.Mapped(w, "instances", "it has "+strconv.Itoa(w.Replicas)+" replicas, all on one machine")
	}
}

func (r *renderer) aboutProbe(w prod.Workload) {
	p := w.Probe
	if p == nil {
		return
	}
	keys := []string{"healthcheck." + string(p.Kind), "healthcheck.interval", "healthcheck.timeout", "healthcheck.retries", "healthcheck.start_period"}
	if p.Derived {
		keys = []string{"healthcheck"}
	}
	switch {
	case w.ProbeArgv() == nil:
		for _, key := range append(keys, "listen_timeout") {
			r.Dropped(w, key, "a check runs inside the container, and the image has no Node.js to ask with", "write exec: a command of the image that ends with 0 when it works")
		}
	case p.Derived:
		r.Approximated(w, "healthcheck", "the check connects to port "+strconv.Itoa(p.Port)+"; when that fails the container is unhealthy, and Compose does not restart it", "")
	default:
		r.Approximated(w, "healthcheck.retries", strconv.Itoa(p.Retries)+" failures in a row make it unhealthy; Compose does not restart it",
			"let the app exit when it cannot go on, or alarm on docker ps --filter health=unhealthy")
	}
}

func (r *renderer) aboutPort(w prod.Workload) {
	if len(w.Ports) == 0 {
		return
	}
	number := strconv.Itoa(w.Ports[0].Number)
	if address, published := r.options.Publish[w.App]; published {
		r.Mapped(w, "port", "the container has port "+number+" and PORT, published at "+address)
	} else {
		r.Approximated(w, "port", "the container has port "+number+" and PORT; others reach it as "+w.Name+":"+number+", and it is not published",
			"put a proxy on the network, or publish it: --publish "+w.App+"=127.0.0.1:"+number)
	}
	if w.Kind == prod.Service {
		r.Approximated(w, "hold_port", "Compose stops a container before it starts the next one: an update refuses connections meanwhile",
			"put a proxy that tries again before it, or export for ECS or Kubernetes")
	}
}

func (r *renderer) aboutEdges(w prod.Workload) {
	for _, e := range w.Edges {
		key := "depends_on." + r.Model.AppOf(e)
		c, ordered := r.condition(e)
		switch {
		case !ordered && e.Backing:
			// A managed service is there before any of this: what the general entry says.
		case !ordered:
			r.Dropped(w, key, "docker compose up does not start "+e.Name, "let the app retry its connections")
		case c != e.Condition:
			r.Approximated(w, key, "it starts after the other: nothing tells when that is healthy", "write a healthcheck for "+r.Model.AppOf(e))
		case c == stack.Completed:
			r.Mapped(w, key, "it starts when the other has ended with 0")
		default:
			r.Mapped(w, key, "depends_on with "+string(c)+" holds at up; after a restart it tries again")
		}
	}
}
