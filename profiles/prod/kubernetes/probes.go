package kubernetes

import (
	"time"

	"devstack/profiles/prod"
)

// startupPeriod is the pause between questions until the first success.
const startupPeriod = 2 * time.Second

// probes are the three probes of a workload. The startup probe has the whole budget until the first success. The liveness
// probe is the app's own healthcheck, and restarts after as many failures; the readiness probe asks the same and gives up
// in half of them, so that no new connection comes before the restart. A port that merely accepts connections says
// nothing about life, so a derived probe has no liveness.
func probes(w prod.Workload) (startup, readiness, liveness *probe) {
	p := w.Probe
	if p == nil {
		return nil, nil, nil
	}
	ask := question(w)
	with := func(period time.Duration, failures int64) *probe {
		out := ask
		out.Period, out.Timeout, out.Failures = seconds(period), seconds(p.Timeout), max(failures, 1)
		return &out
	}
	startup = with(startupPeriod, int64((p.StartPeriod+startupPeriod-1)/startupPeriod))
	readiness = with(p.Interval, int64(p.Retries+1)/2)
	if !p.Derived {
		liveness = with(p.Interval, int64(p.Retries))
	}
	return startup, readiness, liveness
}

// question is what is asked. The app's own port is asked from outside, as those who connect do; another port is often open
// on the loopback address alone, so it is asked from inside where the image has a program for it.
func question(w prod.Workload) probe {
	p := w.Probe
	own := len(w.Ports) > 0 && w.Ports[0].Number == p.Port
	if argv := w.ProbeArgv(); argv != nil && (p.Kind == prod.Exec || !own) {
		return probe{Exec: &exec{Command: escapeAll(argv)}}
	}
	var port any = p.Port
	if own {
		port = w.Ports[0].Name
	}
	if p.Kind == prod.TCP {
		return probe{TCP: fields{"port": port}}
	}
	out := probe{HTTP: &httpGet{Path: text(p.Path), Port: port}}
	if p.Scheme == "https" {
		out.HTTP.Scheme = "HTTPS"
	}
	return out
}

// seconds is a duration in whole seconds, rounded up, at least one.
func seconds(d time.Duration) int64 { return max(int64((d+time.Second-1)/time.Second), 1) }
