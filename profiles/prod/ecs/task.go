package ecs

import (
	"slices"
	"strconv"
	"time"

	"devstack/profiles/prod"
	"devstack/stack"
)

// task is one task definition: an app, or a group of workers.
type task struct {
	name    string
	members []prod.Workload
	connect bool // Service Connect: it serves a port, or depends on a service that does
}

// workers is the name of the group.
const workers = "workers"

// tasks are the model's workloads in file order; a group stands where its first member is.
func (r *renderer) tasks() []task {
	var out []task
	group := -1
	for _, w := range r.Model.Workloads {
		switch {
		case !r.o.GroupWorkers || w.Kind != prod.Service || len(w.Ports) > 0 || w.Replicas != 1:
			out = append(out, task{name: w.Name, members: []prod.Workload{w}, connect: connects(r.Model, w)})
			if r.o.GroupWorkers && w.Name == workers {
				r.Refuse(w, "name", "the group of workers has this name", "rename the app, or do not group")
			}
		case group < 0:
			group = len(out)
			out = append(out, task{name: workers, members: []prod.Workload{w}, connect: connects(r.Model, w)})
		default:
			out[group].members = append(out[group].members, w)
			out[group].connect = out[group].connect || connects(r.Model, w)
		}
	}
	return out
}

// connects says whether a workload needs Service Connect. Tasks that run to their end cannot have it.
func connects(m prod.Model, w prod.Workload) bool {
	return w.Kind == prod.Service && (len(w.Ports) > 0 || slices.ContainsFunc(w.Edges, func(e prod.Edge) bool { return leadsToPort(m, e) }))
}

// leadsToPort says whether an edge leads to a workload that others reach by its name.
func leadsToPort(m prod.Model, e prod.Edge) bool {
	return !e.Backing && slices.ContainsFunc(m.Workloads, func(w prod.Workload) bool {
		return w.Name == e.Name && w.Kind == prod.Service && len(w.Ports) > 0
	})
}

func (r *renderer) taskDefinition(t task) TaskDefinition {
	d := TaskDefinition{
		Family: r.family(t), RequiresCompatibilities: []string{r.launch.kind}, NetworkMode: "awsvpc",
		RuntimePlatform:  &RuntimePlatform{CPUArchitecture: "X86_64", OperatingSystemFamily: "LINUX"},
		ExecutionRoleArn: r.executionRole(), TaskRoleArn: r.taskRole(t),
	}
	for _, w := range t.members {
		c := r.container(t, w)
		for _, m := range c.MountPoints {
			d.Volumes = append(d.Volumes, Volume{Name: m.SourceVolume})
		}
		d.ContainerDefinitions = append(d.ContainerDefinitions, c)
	}
	if r.o.EC2 {
		return d
	}
	ask := asked(t)
	cpu, memory, ok := fargate(ask.cpu, ask.memory)
	if !ok {
		r.Refuse(t.members[0], "max_memory_restart", "no task of Fargate is as large as "+ask.String(), "ask for less, or use EC2")
	}
	d.CPU, d.Memory = strconv.Itoa(cpu), strconv.Itoa(memory)
	return d
}

// amount is processor in 1024ths and memory in MiB.
type amount struct{ cpu, memory int }

func (a amount) String() string {
	return strconv.Itoa(a.cpu) + " CPU units and " + strconv.Itoa(a.memory) + " MiB"
}

// asked is what a task's containers ask for, Service Connect's proxy among them.
func asked(t task) amount {
	var a amount
	for _, w := range t.members {
		a.cpu += cpuUnits(w)
		a.memory += mebibytes(w)
	}
	if t.connect {
		a.cpu += proxyCPU
		a.memory += proxyMemory
	}
	return a
}

func cpuUnits(w prod.Workload) int { return (w.CPUMillis*1024 + 999) / 1000 }

func mebibytes(w prod.Workload) int { return int(w.Memory.Limit >> 20) }

// container is a workload in its task.
func (r *renderer) container(t task, w prod.Workload) ContainerDefinition {
	essential := true
	c := ContainerDefinition{
		Name: w.Name, Image: r.image(w.Image), Essential: &essential, CPU: cpuUnits(w), Memory: mebibytes(w),
		WorkingDirectory: w.WorkDir, User: strconv.Itoa(w.User) + ":" + strconv.Itoa(w.User), ReadonlyRootFilesystem: true,
		LinuxParameters: &LinuxParameters{InitProcessEnabled: true, Capabilities: &Capabilities{Drop: []string{"ALL"}}},
		MountPoints:     []MountPoint{{SourceVolume: "tmp", ContainerPath: "/tmp"}},
		HealthCheck:     healthCheck(w),
		DependsOn:       dependsOn(t, w),
		StopTimeout:     r.stopTimeout(w),
		LogConfiguration: &LogConfiguration{LogDriver: "awslogs", Options: map[string]string{
			"awslogs-group": r.logGroup(w.Name), "awslogs-region": r.parameter("AWS_REGION"), "awslogs-stream-prefix": w.Name,
			"mode": "non-blocking", "max-buffer-size": "25m",
		}},
	}
	if len(t.members) > 1 {
		c.MountPoints[0].SourceVolume += "-" + w.Name
	}
	// The whole argv replaces the image's own.
	c.EntryPoint, c.Command = w.Command[:1], w.Command[1:]
	for _, p := range w.Ports {
		mapping := PortMapping{Name: portName(w, p), ContainerPort: p.Number, Protocol: p.Protocol}
		if p.Name == "http" {
			mapping.AppProtocol = "http"
		}
		c.PortMappings = append(c.PortMappings, mapping)
	}
	for _, v := range w.Config {
		c.Environment = append(c.Environment, Variable(v))
	}
	for _, s := range w.Secrets {
		c.Secrets = append(c.Secrets, Secret{Name: s.Name, ValueFrom: r.secret(s.Name)})
	}
	if w.Kind == prod.Service && w.Restart != prod.Never {
		c.RestartPolicy = &RestartPolicy{Enabled: true, RestartAttemptPeriod: 60}
	}
	r.checkText(w, c)
	return c
}

func portName(w prod.Workload, p prod.Port) string { return w.Name + "-" + p.Name }

// healthCheck is the probe within ECS's limits; account says where they change it.
func healthCheck(w prod.Workload) *HealthCheck {
	argv := w.ProbeArgv()
	if argv == nil {
		return nil
	}
	p := w.Probe
	return &HealthCheck{
		Command:     append([]string{"CMD"}, argv...),
		Interval:    clamp(seconds(p.Interval), intervalLimits),
		Timeout:     clamp(seconds(p.Timeout), timeoutLimits),
		Retries:     clamp(p.Retries, retriesLimits),
		StartPeriod: clamp(seconds(p.StartPeriod), startPeriodLimits),
	}
}

// limits are the least and the greatest value that ECS takes.
type limits struct{ least, most int }

// What ECS takes, in seconds and failures.
var (
	intervalLimits    = limits{5, 300}
	timeoutLimits     = limits{2, 60}
	retriesLimits     = limits{1, 10}
	startPeriodLimits = limits{0, 300}
	stopLimits        = limits{2, 120} // on Fargate
)

func clamp(value int, l limits) int { return min(max(value, l.least), l.most) }

func (l limits) allow(value int) bool { return clamp(value, l) == value }

func (l limits) String() string { return strconv.Itoa(l.least) + " to " + strconv.Itoa(l.most) }

// seconds rounds up: ECS has no fractions.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// stopTimeout is refused above Fargate's limit: an app that is killed in the middle of its work is no rounding.
func (r *renderer) stopTimeout(w prod.Workload) int {
	s := max(seconds(w.Stop.Grace), stopLimits.least)
	if s > stopLimits.most && !r.o.EC2 {
		r.Refuse(w, "kill_timeout", "Fargate kills after 120 s at the latest, and the app asks for "+w.Stop.Grace.String(),
			"write 120s or less in the prod profile, or use EC2")
	}
	return s
}

// dependsOn is the order within one task. What is in another task has none.
func dependsOn(t task, w prod.Workload) []Dependency {
	var out []Dependency
	for _, e := range w.Edges {
		i := slices.IndexFunc(t.members, func(m prod.Workload) bool { return !e.Backing && m.Name == e.Name })
		if i < 0 {
			continue
		}
		condition := "START"
		if e.Condition == stack.Healthy && healthCheck(t.members[i]) != nil {
			condition = "HEALTHY"
		}
		out = append(out, Dependency{ContainerName: e.Name, Condition: condition})
	}
	return out
}
