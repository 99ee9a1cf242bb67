package kubernetes

import (
	"slices"
	"strconv"

	"devstack/profiles/prod"
)

// drain is how long a pod with a port goes on as before after it was told to stop: for that long connections may still come
// in, as the cluster learns of it everywhere at its own pace.
const drain = 5 // seconds

// app is everything of one workload, in the order in which it is to exist.
func (r *renderer) app(w prod.Workload) []any {
	out := []any{r.serviceAccount(w.Name, string(w.Kind))}
	if policy, needed := r.network.allow(w); needed {
		out = append(out, policy)
	}
	switch w.Kind {
	case prod.Job:
		return append(out, r.object("batch/v1", "Job", w.Name, "job", r.job(w)))
	case prod.Cron:
		return append(out, r.object("batch/v1", "CronJob", w.Name, "cron", r.cronJob(w)))
	}
	if len(w.Ports) > 0 {
		out = append(out, r.object("v1", "Service", w.Name, "service", r.service(w)))
	}
	out = append(out, r.object("apps/v1", "Deployment", w.Name, "service", r.deployment(w)))
	if w.Replicas > 1 {
		budget := budgetSpec{MaxUnavailable: 1, Unhealthy: "AlwaysAllow", Selector: selector{r.selects(w.Name)}}
		out = append(out, r.object("policy/v1", "PodDisruptionBudget", w.Name, "service", budget))
	}
	if most := r.o.Autoscale[w.App]; most > 0 {
		out = append(out, r.object("autoscaling/v2", "HorizontalPodAutoscaler", w.Name, "service", autoscaler(w, most)))
	}
	return out
}

func (r *renderer) service(w prod.Workload) serviceSpec {
	port := servicePort{Name: w.Ports[0].Name, Port: w.Ports[0].Number, TargetPort: w.Ports[0].Name}
	if port.Name == "http" {
		port.AppProtocol = "http"
	}
	return serviceSpec{Selector: r.selects(w.Name), Ports: []servicePort{port}}
}

func (r *renderer) deployment(w prod.Workload) deploymentSpec {
	spec := deploymentSpec{
		Replicas: &w.Replicas, RevisionHistory: 5, ProgressDeadline: 300,
		Selector: selector{r.selects(w.Name)},
		Strategy: strategy{Type: "RollingUpdate", RollingUpdate: &rollingUpdate{MaxUnavailable: 0, MaxSurge: 1}},
		Template: r.template(w),
	}
	if w.Singleton {
		spec.Strategy = strategy{Type: "Recreate"}
	}
	if r.o.Autoscale[w.App] > 0 {
		spec.Replicas = nil
	}
	if w.Probe != nil {
		spec.ProgressDeadline = max(spec.ProgressDeadline, 2*seconds(w.Probe.StartPeriod)+60)
	}
	return spec
}

func (r *renderer) job(w prod.Workload) jobSpec {
	return jobSpec{Suspend: w.Replicas == 0, BackoffLimit: 0, Template: r.template(w)}
}

// cronJob ends a run that is still going when the next is due, as devstack does.
func (r *renderer) cronJob(w prod.Workload) cronJobSpec {
	zone := w.Schedule.Zone
	if zone == "" {
		zone = "Etc/UTC"
	}
	job := r.job(w)
	job.Suspend = false
	return cronJobSpec{
		Schedule: w.Schedule.Expression, TimeZone: zone, Suspend: w.Replicas == 0, ConcurrencyPolicy: "Replace",
		SuccessfulHistory: 3, FailedHistory: 3,
		JobTemplate: jobTemplate{Metadata: metadata{Labels: r.labels(w.Name, "cron")}, Spec: job},
	}
}

func autoscaler(w prod.Workload, most int) autoscalerSpec {
	return autoscalerSpec{
		Target: fields{"apiVersion": "apps/v1", "kind": "Deployment", "name": w.Name}, MinReplicas: w.Replicas, MaxReplicas: most,
		Metrics: []metric{{Type: "Resource", Resource: fields{"name": "cpu", "target": metricTarget{"Utilization", 70}}}},
	}
}

// pod passes the restricted profile. One process namespace for the pod gives the app another PID than 1, where signals
// without a handler are ignored and orphans are nobody's.
func (r *renderer) pod(w prod.Workload) podSpec {
	spec := podSpec{
		ServiceAccount: w.Name, ShareProcesses: true, Grace: seconds(w.Stop.Grace),
		Security:   security(w.User, w.User),
		Containers: []container{r.container(w)},
		Volumes:    []volume{{Name: "tmp", EmptyDir: fields{"sizeLimit": "256Mi"}}},
	}
	if w.Kind != prod.Service {
		spec.RestartPolicy = "Never"
	}
	if len(w.Ports) > 0 {
		spec.Grace += drain
	}
	if max(w.Replicas, r.o.Autoscale[w.App]) > 1 {
		for _, key := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
			spec.Spread = append(spec.Spread, spread{MaxSkew: 1, TopologyKey: key, Unsatisfied: "ScheduleAnyway", Selector: selector{r.selects(w.Name)}})
		}
	}
	return spec
}

func security(user, group int) podSecurity {
	return podSecurity{NonRoot: true, User: user, Group: group, FSGroup: group, Seccomp: fields{"type": "RuntimeDefault"}}
}

// container limits memory and not the processor: a limit there slows an app down while the machine is idle. Images are
// named by digest or by tags that do not move, so one that is there needs no registry.
func (r *renderer) container(w prod.Workload) container {
	c := container{
		Name: w.Name, Image: text(w.Image.Reference), PullPolicy: "IfNotPresent",
		Command: escapeAll(w.Command), WorkDir: text(w.WorkDir),
		Env: r.env(w),
		Resources: resources{
			Requests: amounts{CPU: strconv.Itoa(w.CPUMillis) + "m", Memory: quantity(w.Memory.Reservation), Storage: "256Mi"},
			Limits:   amounts{Memory: quantity(w.Memory.Limit), Storage: "1Gi"},
		},
		Security: containerSecurity{ReadOnly: true, Capabilities: fields{"drop": []string{"ALL"}}},
		Mounts:   []volumeMount{{Name: "tmp", Path: "/tmp"}},
	}
	if c.Image == "" {
		c.Image = text(w.Image.Repository)
	}
	if slices.ContainsFunc(w.Config, isLine) {
		c.EnvFrom = []fields{{"configMapRef": reference{Name: configName(w)}}}
	}
	for _, p := range w.Ports {
		c.Ports = append(c.Ports, containerPort{p.Name, p.Number})
		c.Lifecycle = fields{"preStop": fields{"sleep": fields{"seconds": drain}}}
	}
	c.Startup, c.Readiness, c.Liveness = probes(w)
	return c
}

// quantity is bytes in the largest unit that says them exactly.
func quantity(bytes int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}} {
		if bytes >= unit.size && bytes%unit.size == 0 {
			return strconv.FormatInt(bytes/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(bytes, 10)
}
