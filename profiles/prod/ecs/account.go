package ecs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"devstack/profiles/prod"
)

// report is what ECS does otherwise than the model, and what it cannot express.
type report struct {
	names
	prod.Notes
	o Options
}

// account says what ECS does otherwise than the model's own report says of a workload.
func (r *report) account(t task, w prod.Workload) {
	r.accountSize(t, w)
	r.accountProbe(w)
	r.accountStop(w)
	r.accountEdges(t, w)
	for _, p := range w.Ports {
		if t.connect {
			how := fmt.Sprintf("the container has port %d and PORT; others in the cluster reach it at %s:%d by Service Connect", p.Number, w.Name, p.Number)
			r.Say(w, prod.IsMapped, "port", how, "attach a load balancer with a target group of type ip, to reach it from outside")
		}
	}
	r.accountRestart(t, w)
	switch w.Kind {
	case prod.Service:
	case prod.Job:
		r.Approximated(w, "one_shot", RunTaskFile+" runs it to its end; ECS does not run it by itself at a deployment",
			"run aws ecs run-task and wait for it before you update the services")
	case prod.Cron:
		zone := w.Schedule.Zone
		if zone == "" {
			zone = "UTC"
		}
		r.Approximated(w, "cron_restart", "EventBridge starts a task at "+w.Schedule.Expression+" in "+zone+", also while the one before still runs",
			"let it use a lock to see whether another one runs")
	}
	retention := "CloudWatch Logs keeps lines by their age, not by their size"
	r.Approximated(w, "max_log_size", retention, "set the retention of the log group "+r.logGroup(w.Name))
	r.Approximated(w, "max_log_files", retention, "set the retention of the log group "+r.logGroup(w.Name))
	kept := "stdout and stderr go to the log group " + r.logGroup(w.Name) + "; the app never waits for it: lines beyond 25 MiB that are not sent yet are lost"
	r.Mapped(w, "merge_logs", kept)
}

// accountRestart: a container that ends soon after its start ends its task, and the service starts another task.
func (r *report) accountRestart(t task, w prod.Workload) {
	if w.Kind != prod.Service || w.Restart == prod.Never {
		return
	}
	if len(t.members) > 1 {
		r.Approximated(w, "autorestart", "ECS restarts it when it ends; within 60 s of its start ECS replaces the whole task, with the "+
			strconv.Itoa(len(t.members)-1)+" other apps in it", "give every app a task of its own")
	}
	if w.Restart == prod.OnFailure {
		r.Approximated(w, "stop_exit_codes", "ECS always starts a service again, also after exit code 0", "write one_shot: true if it is meant to end")
	}
}

// accountSize says what is paid for and not asked for.
func (r *report) accountSize(t task, w prod.Workload) {
	if rest := w.Memory.Limit % (1 << 20); rest != 0 {
		r.Approximated(w, "max_memory_restart", fmt.Sprintf("it has a limit of %d MiB, %d bytes less: ECS counts in MiB", mebibytes(w), rest), "")
	}
	if r.o.EC2 {
		return
	}
	ask := asked(t)
	cpu, memory, ok := fargate(ask.cpu, ask.memory)
	if !ok {
		return
	}
	what := "what is asked"
	if t.connect {
		what = "what is asked with Service Connect's proxy"
	}
	if len(t.members) > 1 {
		what += ", of " + strconv.Itoa(len(t.members)) + " apps in one task"
	}
	how := fmt.Sprintf("the task has %s, the smallest size of Fargate for %s, %s: you pay for %s that nothing asks for",
		amount{cpu, memory}, what, ask, amount{cpu - ask.cpu, memory - ask.memory})
	r.Mapped(w, "max_memory_restart.task", how)
}

// accountProbe says what of a probe ECS's limits change.
func (r *report) accountProbe(w prod.Workload) {
	p := w.Probe
	if p == nil {
		return
	}
	key := "healthcheck." + string(p.Kind)
	if p.Derived {
		key = "healthcheck"
	}
	if healthCheck(w) == nil {
		for _, k := range []string{key, "healthcheck.interval", "healthcheck.timeout", "healthcheck.retries", "healthcheck.start_period"} {
			if k == key || !p.Derived {
				r.Dropped(w, k, "ECS asks from inside the container, and the image has no Node.js to ask with", "write healthcheck.exec with a program that the image has")
			}
		}
		r.Dropped(w, "listen_timeout", "nothing tells when it is ready", "write healthcheck.exec with a program that the image has")
		return
	}
	if !p.Derived {
		r.accountTime(w, "healthcheck.interval", p.Interval, intervalLimits)
		r.accountTime(w, "healthcheck.timeout", p.Timeout, timeoutLimits)
		if got := clamp(p.Retries, retriesLimits); got != p.Retries {
			r.Approximated(w, "healthcheck.retries", fmt.Sprintf("it is %d: ECS takes %s", got, retriesLimits), "")
		}
	}
	budget := seconds(p.StartPeriod)
	if startPeriodLimits.allow(budget) && p.StartPeriod%time.Second == 0 {
		return
	}
	how := fmt.Sprintf("it is %d s, and the service ignores failures for %d s", clamp(budget, startPeriodLimits), budget)
	if !p.Derived {
		r.Approximated(w, "healthcheck.start_period", how, "")
	}
	r.Approximated(w, "listen_timeout", how, "")
}

func (r *report) accountTime(w prod.Workload, key string, d time.Duration, l limits) {
	got := clamp(seconds(d), l)
	if time.Duration(got)*time.Second != d {
		r.Approximated(w, key, fmt.Sprintf("it is %d s: ECS takes whole seconds, %s", got, l), "")
	}
}

func (r *report) accountStop(w prod.Workload) {
	if s := max(seconds(w.Stop.Grace), stopLimits.least); time.Duration(s)*time.Second != w.Stop.Grace {
		r.Approximated(w, "kill_timeout", fmt.Sprintf("it is %d s: ECS takes whole seconds, from %d", s, stopLimits.least), "")
	}
	if w.Stop.Signal != "SIGTERM" {
		r.Mapped(w, "kill_signal", "the image's STOPSIGNAL says "+w.Stop.Signal+": a task definition names none")
	}
}

func (r *report) accountEdges(t task, w prod.Workload) {
	ordered := dependsOn(t, w)
	for _, e := range w.Edges {
		key := "depends_on." + r.Model.AppOf(e)
		i := slices.IndexFunc(ordered, func(d Dependency) bool { return d.ContainerName == e.Name })
		switch {
		case i >= 0 && ordered[i].Condition == "HEALTHY":
			r.Mapped(w, key, "both are in one task, with dependsOn HEALTHY")
		case i >= 0:
			r.Approximated(w, key, "both are in one task, with dependsOn START: it waits until the other runs", "let the app retry its connections")
		case w.Kind != prod.Service && leadsToPort(r.Model, e):
			r.Approximated(w, key, "a task that runs to its end has no Service Connect, and does not find "+e.Name+" by its name",
				"give it the address of a load balancer, or let it work through the backing services")
		}
	}
}

// checkText refuses what JSON cannot carry, and says where filling in placeholders would change a value.
func (r *report) checkText(w prod.Workload, c ContainerDefinition) {
	for _, v := range w.Config {
		if !utf8.ValidString(v.Value) {
			r.Refuse(w, "env."+v.Name, "its value is not UTF-8", "encode it, in base64 for example")
		}
		for _, p := range parameters(r.Model) {
			if r.given[p.Name] == "" && strings.Contains(v.Value, placeholder(p.Name)) {
				r.Approximated(w, "env."+v.Name, "its value contains "+placeholder(p.Name)+", which is replaced when the placeholders are filled in", "give the export the parameter's value")
			}
		}
	}
	for _, word := range slices.Concat(c.EntryPoint, c.Command) {
		if !utf8.ValidString(word) {
			r.Refuse(w, "command", "it is not UTF-8", "")
		}
	}
}
