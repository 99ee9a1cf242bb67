package kubernetes

import (
	"strconv"
	"time"

	"devstack/profiles/prod"
)

// report is what Kubernetes does otherwise than the model, and what it cannot express.
type report struct {
	prod.Notes
	o Options
}

// account tells what Kubernetes does otherwise than the model's own report says.
func (r *report) account(w prod.Workload) {
	if most := r.o.Autoscale[w.App]; most > 0 {
		r.Mapped(w, "instances", "there are "+strconv.Itoa(w.Replicas)+" to "+strconv.Itoa(most)+" replicas, as the use of the processor asks for")
	}
	r.Approximated(w, "depends_on", "network policies let it reach what depends_on names, DNS and HTTPS, and nothing else", "name what else it needs in depends_on, or write a NetworkPolicy in the overlay")
	r.accountEdges(w)
	r.accountProbe(w)
	r.accountEnd(w)
	r.Approximated(w, "max_log_size", "the nodes rotate logs by their own settings", "set containerLogMaxSize of the kubelet")
	r.Approximated(w, "max_log_files", "the nodes rotate logs by their own settings", "set containerLogMaxFiles of the kubelet")
	if w.Singleton && len(w.Ports) > 0 {
		r.Approximated(w, "hold_port", "connections are refused while the next one takes the place of the last", "write hold_port: auto, which lets two run while one replaces the other")
	}
}

// accountEdges: kubectl applies everything at once, jobs too.
func (r *report) accountEdges(w prod.Workload) {
	for _, e := range w.Edges {
		if e.Wait != prod.JobFirst {
			continue
		}
		r.Approximated(w, "depends_on."+r.Model.AppOf(e), "nothing waits for the Job: it is restarted until what the job makes is there",
			"apply the Job first (kubectl apply -l app.kubernetes.io/name="+e.Name+") and wait: kubectl wait --for=condition=complete job/"+e.Name)
	}
	if w.Kind == prod.Job {
		r.Approximated(w, "one_shot", "it is a Job, which Kubernetes neither changes nor runs again once it exists",
			"run before every deployment: kubectl delete job "+w.Name+" --ignore-not-found")
	}
}

func (r *report) accountProbe(w prod.Workload) {
	p := w.Probe
	if p == nil {
		return
	}
	r.Approximated(w, "listen_timeout", p.StartPeriod.String()+" may pass until the first success; then Kubernetes restarts it, where devstack lets it go on", "give it the time that it needs at worst")
	if p.Derived {
		return
	}
	startup, readiness, _ := probes(w)
	r.Mapped(w, "healthcheck.retries",
		strconv.Itoa(max(p.Retries, 1))+" failures in a row restart it, "+strconv.FormatInt(readiness.Failures, 10)+" keep new connections away")
	switch {
	case startup.Exec != nil && p.Kind != prod.Exec:
		r.Approximated(w, "healthcheck."+string(p.Kind), "a command asks inside the container", "")
	case startup.Exec == nil:
		r.Approximated(w, "healthcheck."+string(p.Kind), "Kubernetes asks at the pod's address, not at the loopback address", "listen on 0.0.0.0, as the Service needs it, too")
	}
	r.accountSeconds(w, "healthcheck.interval", p.Interval, p.Interval)
	r.accountSeconds(w, "healthcheck.timeout", p.Timeout, p.Timeout)
	r.accountSeconds(w, "healthcheck.start_period", startupPeriod*time.Duration((p.StartPeriod+startupPeriod-1)/startupPeriod), p.StartPeriod)
}

// accountSeconds tells of a duration that is not what was asked for.
func (r *report) accountSeconds(w prod.Workload, key string, given, want time.Duration) {
	if got := time.Duration(seconds(given)) * time.Second; got != want {
		r.Approximated(w, key, "it is "+got.String()+" instead of "+want.String(), "")
	}
}

// accountEnd is about how it stops and what follows.
func (r *report) accountEnd(w prod.Workload) {
	grace := time.Duration(seconds(w.Stop.Grace)) * time.Second
	switch {
	case grace != w.Stop.Grace:
		r.Approximated(w, "kill_timeout", "it has "+grace.String()+" between the signal and SIGKILL", "")
	case len(w.Ports) > 0:
		r.Mapped(w, "kill_timeout",
			"it has "+grace.String()+" between the signal and SIGKILL; the signal comes "+strconv.Itoa(drain)+" s after the stop, so that no connection meets a closed port")
	}
	if w.Stop.Signal != "SIGTERM" {
		r.Approximated(w, "kill_signal", "the image's STOPSIGNAL decides: a pod has no such field", "build the image from the exported Dockerfile, or write STOPSIGNAL "+w.Stop.Signal)
	}
	if w.Kind == prod.Service && w.Restart == prod.OnFailure {
		r.Approximated(w, "stop_exit_codes", "a Deployment restarts it after every exit code", "let the process stay and wait")
	}
}

// accountBacking tells what a backing service's container is given that no file says.
func (r *report) accountBacking(b prod.Backing) {
	near := func(key, how, fix string) {
		r.Entries = append(r.Entries, prod.Entry{Target: target, Subject: prod.ServiceSubject(b.Name), Key: key, Verdict: prod.IsApproximated, How: how, Fix: fix, Asked: true})
	}
	if len(b.Container.Volumes) > 0 {
		near("volumes", "each gets a claim of "+claimSize+" of the cluster's default class", "patch volumeClaimTemplates in the overlay before the first apply; later it cannot change")
	}
	if b.Container.StopSignal != "" {
		near("stop_signal", "the image's STOPSIGNAL decides: a pod has no such field", "use an image that has STOPSIGNAL "+b.Container.StopSignal)
	}
	if b.Container.Probe != nil {
		near("healthcheck", "it decides about readiness; while it fails no new connection comes", "")
	}
}
