package ecs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devstack/profiles/prod/ecs"
)

// problem is something that ECS refuses, or takes and does not run: a rule of AWS's handbook that the SDK does not know.
type problem struct{ file, where, rule string }

// handbook finds in the documents of one export, by path, what AWS's own schemas and validators do not say: ranges, formats
// and combinations.
func handbook(documents map[string][]byte) []problem {
	var out []problem
	connected := map[string]ecs.ServiceConnect{}
	for name, data := range documents {
		var s ecs.Service
		if path.Base(name) == ecs.ServiceFile && json.Unmarshal(data, &s) == nil && s.ServiceConnectConfiguration != nil {
			connected[s.TaskDefinition] = *s.ServiceConnectConfiguration
		}
	}
	for name, data := range documents {
		r := &reader{file: name}
		switch path.Base(name) {
		case ecs.TaskDefinitionFile:
			d := decoded[ecs.TaskDefinition](r, data)
			var small bytes.Buffer
			r.when(json.Compact(&small, data) == nil && small.Len() > 64<<10, "$", "size")
			r.taskDefinition(d)
			r.connected(d, connected[d.Family])
		case ecs.ServiceFile:
			r.service(decoded[ecs.Service](r, data))
		case ecs.RunTaskFile:
			t := decoded[ecs.RunTask](r, data)
			r.network("networkConfiguration", t.NetworkConfiguration, t.LaunchType)
			r.between("count", "count", t.Count, 1, 10)
		case ecs.ScheduleFile:
			r.schedule(decoded[ecs.Schedule](r, data))
		}
		out = append(out, r.found...)
	}
	return out
}

func decoded[T any](r *reader, data []byte) T {
	var v T
	r.when(json.Unmarshal(data, &v) != nil, "$", "json")
	return v
}

// reader collects the problems of one document.
type reader struct {
	file  string
	found []problem
}

// when adds a problem if a rule is broken.
func (r *reader) when(broken bool, where, rule string) {
	if broken {
		r.found = append(r.found, problem{r.file, where, rule})
	}
}

func (r *reader) form(where, value, form string) {
	r.when(!regexp.MustCompile(form).MatchString(value), where, "format")
}

func (r *reader) between(where, rule string, value, least, most int) {
	r.when(value < least || value > most, where, rule)
}

// optional is between, or 0, which is ECS's default.
func (r *reader) optional(where, rule string, value, least, most int) {
	r.when(value != 0 && (value < least || value > most), where, rule)
}

const (
	nameForm = `^[A-Za-z0-9_-]{1,255}$`
	roleForm = `^arn:aws[a-z-]*:iam::(\d{12}|\$\{\w+\}):role/([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`
)

func essential(x ecs.ContainerDefinition) bool { return x.Essential == nil || *x.Essential }

func (r *reader) taskDefinition(d ecs.TaskDefinition) {
	onFargate := slices.Contains(d.RequiresCompatibilities, "FARGATE")
	r.form("family", d.Family, nameForm)
	r.form("executionRoleArn", d.ExecutionRoleArn, `^$|`+roleForm)
	r.form("taskRoleArn", d.TaskRoleArn, `^$|`+roleForm)
	r.when(onFargate && d.NetworkMode != "awsvpc", "networkMode", "fargate-network")
	r.taskSize(d, onFargate)
	volumes, containers, ports, portNames := map[string]bool{}, map[string]bool{}, map[int]bool{}, map[string]bool{}
	for i, v := range d.Volumes {
		r.form(fmt.Sprintf("volumes[%d]", i), v.Name, nameForm)
		r.when(volumes[v.Name], fmt.Sprintf("volumes[%d]", i), "twice")
		volumes[v.Name] = true
	}
	r.when(!slices.ContainsFunc(d.ContainerDefinitions, essential), "containerDefinitions", "essential")
	for i, x := range d.ContainerDefinitions {
		where := fmt.Sprintf("containerDefinitions[%d].", i)
		r.when(containers[x.Name], where+"name", "twice")
		containers[x.Name] = true
		for _, m := range x.MountPoints {
			r.when(!volumes[m.SourceVolume], where+"mountPoints", "volume")
		}
		r.when(d.Memory == "" && x.Memory == 0 && x.MemoryReservation == 0, where+"memory", "memory")
		needsRole := len(x.Secrets) > 0 || x.LogConfiguration != nil && x.LogConfiguration.LogDriver == "awslogs"
		r.when(needsRole && d.ExecutionRoleArn == "", "executionRoleArn", "execution-role")
		for _, p := range x.PortMappings { // with awsvpc all containers of a task share one network interface
			r.between(where+"containerPort", "port", p.ContainerPort, 1, 65535)
			r.when(ports[p.ContainerPort], where+"containerPort", "port-twice")
			r.when(d.NetworkMode == "awsvpc" && p.HostPort != 0 && p.HostPort != p.ContainerPort, where+"hostPort", "host-port")
			r.form(where+"portMappings", p.Name, `^$|^[a-z0-9_][a-z0-9_-]{0,63}$`)
			r.when(p.Name != "" && portNames[p.Name], where+"portMappings", "twice")
			ports[p.ContainerPort], portNames[p.Name] = true, true
		}
		r.dependencies(where, d, x)
		r.container(where, x, onFargate)
	}
}

// pairs are Fargate's sizes: 1024ths of a processor, and the memory with it in MiB: from, to, and the steps between.
var pairs = map[int][3]int{
	256: {1024, 2048, 1024}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

func (r *reader) taskSize(d ecs.TaskDefinition, onFargate bool) {
	number := func(where, text string) int {
		n, err := strconv.Atoi(text)
		r.when(text != "" && (err != nil || strconv.Itoa(n) != text), where, "number")
		return n
	}
	cpu, memory := number("cpu", d.CPU), number("memory", d.Memory)
	p, known := pairs[cpu]
	fits := known && memory >= p[0] && memory <= p[1] && (memory-p[0])%p[2] == 0 || cpu == 256 && memory == 512
	r.when(onFargate && !fits, "cpu", "fargate-size")
	if !onFargate {
		r.optional("cpu", "task-cpu", cpu, 128, 196608)
	}
	sumCPU, sumMemory := 0, 0
	for _, x := range d.ContainerDefinitions {
		sumCPU += x.CPU
		sumMemory += max(x.Memory, x.MemoryReservation)
	}
	r.when(d.CPU != "" && sumCPU > cpu, "cpu", "sum")
	r.when(d.Memory != "" && sumMemory > memory, "memory", "sum")
}

// dependencies lead to containers of the same task, in no circle; the agent starts nothing otherwise.
func (r *reader) dependencies(where string, d ecs.TaskDefinition, x ecs.ContainerDefinition) {
	byName := map[string]ecs.ContainerDefinition{}
	for _, y := range d.ContainerDefinitions {
		byName[y.Name] = y
	}
	var reaches func(from string, seen map[string]bool) bool
	reaches = func(from string, seen map[string]bool) bool {
		if from == x.Name || seen[from] {
			return from == x.Name
		}
		seen[from] = true
		return slices.ContainsFunc(byName[from].DependsOn, func(e ecs.Dependency) bool { return reaches(e.ContainerName, seen) })
	}
	for _, e := range x.DependsOn {
		target, ok := byName[e.ContainerName]
		r.when(!ok, where+"dependsOn", "depends-on")
		r.when(ok && reaches(e.ContainerName, map[string]bool{}), where+"dependsOn", "depends-circle")
		r.when(e.Condition == "HEALTHY" && target.HealthCheck == nil, where+"dependsOn", "depends-health")
		r.when((e.Condition == "COMPLETE" || e.Condition == "SUCCESS") && essential(target), where+"dependsOn", "depends-end")
	}
}

func (r *reader) container(where string, x ecs.ContainerDefinition, onFargate bool) {
	r.form(where+"name", x.Name, nameForm)
	r.form(where+"image", x.Image, `^\S{1,255}$`)
	r.when(x.Memory != 0 && x.MemoryReservation != 0 && x.Memory <= x.MemoryReservation, where+"memoryReservation", "reservation")
	r.when(x.Memory != 0 && x.Memory < 6, where+"memory", "memory")
	r.when(x.StopTimeout < 0, where+"stopTimeout", "stop-range")
	if onFargate {
		r.when(x.Privileged, where+"privileged", "fargate-privileged")
		r.optional(where+"stopTimeout", "stop-range", x.StopTimeout, 2, 120)
		if l := x.LinuxParameters; l != nil && l.Capabilities != nil {
			r.when(slices.ContainsFunc(l.Capabilities.Add, func(word string) bool { return word != "SYS_PTRACE" }), where+"linuxParameters", "fargate-capability")
		}
	}
	seen := map[string]bool{}
	name := func(name string) {
		r.when(name == "" || strings.ContainsAny(name, "=\x00"), where+"environment", "env-name")
		r.when(seen[name], where+"environment", "env-twice")
		seen[name] = true
	}
	for _, v := range x.Environment {
		name(v.Name)
		r.when(strings.Contains(v.Value, "\x00"), where+"environment", "env-value")
	}
	for _, s := range x.Secrets {
		name(s.Name)
		r.valueFrom(where+"secrets", s.ValueFrom)
	}
	if h := x.HealthCheck; h != nil {
		r.when(len(h.Command) < 2 || h.Command[0] != "CMD" && h.Command[0] != "CMD-SHELL", where+"healthCheck", "health-command")
		r.optional(where+"healthCheck", "health-range", h.Interval, 5, 300)
		r.optional(where+"healthCheck", "health-range", h.Timeout, 2, 60)
		r.optional(where+"healthCheck", "health-range", h.Retries, 1, 10)
		r.optional(where+"healthCheck", "health-range", h.StartPeriod, 0, 300)
	}
	if p := x.RestartPolicy; p != nil {
		r.optional(where+"restartPolicy", "restart-range", p.RestartAttemptPeriod, 60, 1800)
		r.when(len(p.IgnoredExitCodes) > 50, where+"restartPolicy", "restart-range")
	}
	r.logs(where+"logConfiguration", x.LogConfiguration, onFargate)
}

// valueFrom is a parameter's name or ARN, or a secret's full ARN. A key of a secret's JSON comes with all its colons.
func (r *reader) valueFrom(where, v string) {
	arn := regexp.MustCompile(`^arn:aws[a-z-]*:(ssm:[^:]+:[^:]+:parameter/.+|secretsmanager:[^:]+:[^:]+:secret:[^:]+-[A-Za-z0-9]{6}(:[^:]*:[^:]*:[^:]*)?)$`)
	if strings.HasPrefix(v, "arn:") {
		r.when(!arn.MatchString(v), where, "secret-arn")
		return
	}
	good := regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,14}$`).MatchString(v) && len(v) <= 1011
	r.when(!good || regexp.MustCompile(`(?i)^/?(aws|ssm)`).MatchString(v), where, "parameter-name")
}

func (r *reader) logs(where string, l *ecs.LogConfiguration, onFargate bool) {
	if l == nil {
		return
	}
	r.when(onFargate && !slices.Contains([]string{"awslogs", "splunk", "awsfirelens"}, l.LogDriver), where, "log-driver")
	if l.LogDriver != "awslogs" {
		return
	}
	for name := range l.Options {
		r.form(where, name, `^(awslogs-(create-group|datetime-format|group|multiline-pattern|region|stream-prefix)|max-buffer-size|mode)$`)
	}
	r.when(l.Options["awslogs-region"] == "" || onFargate && l.Options["awslogs-stream-prefix"] == "", where, "log-required")
	r.form(where, l.Options["awslogs-group"], `^[A-Za-z0-9_/.#-]{1,512}$`)
	r.form(where, l.Options["mode"], `^(|blocking|non-blocking)$`)
	r.when(l.Options["max-buffer-size"] != "" && l.Options["mode"] != "non-blocking", where, "log-buffer")
	r.when(l.Options["awslogs-datetime-format"] != "" && l.Options["awslogs-multiline-pattern"] != "", where, "log-multiline")
}

func (r *reader) service(s ecs.Service) {
	r.form("serviceName", s.ServiceName, nameForm)
	r.when(s.PlatformVersion != "" && s.LaunchType != "FARGATE", "platformVersion", "platform")
	r.network("networkConfiguration", s.NetworkConfiguration, s.LaunchType)
	r.when(s.SchedulingStrategy == "DAEMON" && s.LaunchType == "FARGATE", "schedulingStrategy", "fargate-daemon")
	r.when(s.DesiredCount < 0, "desiredCount", "count")
	r.when(s.HealthCheckGracePeriodSeconds < 0, "healthCheckGracePeriodSeconds", "grace")
	if d := s.DeploymentConfiguration; d != nil { // it must be able to do one of the two: stop a task first, or start one first
		r.optional("deploymentConfiguration", "deployment-percent", d.MinimumHealthyPercent, 0, 100)
		r.optional("deploymentConfiguration", "deployment-percent", d.MaximumPercent, 100, 200)
		r.when(d.MinimumHealthyPercent >= 100 && d.MaximumPercent <= 100, "deploymentConfiguration", "deployment-stuck")
		r.when(s.AvailabilityZoneRebalancing == "ENABLED" && d.MaximumPercent <= 100, "availabilityZoneRebalancing", "rebalancing")
		r.when(d.DeploymentCircuitBreaker != nil && d.Strategy != "ROLLING", "deploymentConfiguration", "circuit-breaker")
	}
	c := s.ServiceConnectConfiguration
	if c == nil {
		return
	}
	r.between("serviceConnectConfiguration", "length", len(c.Namespace), 1, 1024)
	for _, x := range c.Services {
		r.form("serviceConnectConfiguration", x.DiscoveryName, `^[a-z0-9_-]{1,64}$`)
		r.when(len(x.ClientAliases) != 1, "serviceConnectConfiguration", "client-alias")
		for _, a := range x.ClientAliases {
			r.form("serviceConnectConfiguration", a.DNSName, `^[a-zA-Z0-9_.-]{1,127}$`)
			r.between("serviceConnectConfiguration", "port", a.Port, 1, 65535)
		}
	}
}

// network of a task with awsvpc: every task that an export writes has it.
func (r *reader) network(where string, n *ecs.NetworkConfiguration, launchType string) {
	r.when(n == nil, where, "network")
	if n == nil {
		return
	}
	v := n.AwsvpcConfiguration
	r.between(where, "network", len(v.Subnets), 1, 16)
	r.between(where, "network", len(v.SecurityGroups), 0, 5)
	r.when(v.AssignPublicIP == "ENABLED" && launchType != "FARGATE", where, "network")
}

// connected compares a task definition with its service: Service Connect names ports that exist, and runs a proxy in the
// task, for which memory must be left: 64 MiB at least.
func (r *reader) connected(d ecs.TaskDefinition, s ecs.ServiceConnect) {
	sum := 64
	named := map[string]bool{}
	for _, x := range d.ContainerDefinitions {
		sum += x.Memory
		for _, p := range x.PortMappings {
			named[p.Name] = true
		}
	}
	for _, x := range s.Services {
		r.when(!named[x.PortName], "containerDefinitions", "connect-port")
	}
	memory, err := strconv.Atoi(d.Memory)
	r.when(s.Enabled && err == nil && sum > memory, "memory", "connect-memory")
}

func (r *reader) schedule(s ecs.Schedule) {
	r.form("Name", s.Name, `^[0-9a-zA-Z-_.]{1,64}$`)
	r.form("ScheduleExpression", s.ScheduleExpression, `^cron\((\S+ ){5}\S+\)$`)
	if words := strings.Fields(strings.Trim(s.ScheduleExpression, "cron()")); len(words) == 6 {
		r.when((words[2] == "?") == (words[4] == "?"), "ScheduleExpression", "schedule-days")
	}
	r.form("ScheduleExpressionTimezone", s.ScheduleExpressionTimezone, `^[A-Za-z0-9_+/-]{1,50}$`)
	r.form("Target.RoleArn", s.Target.RoleArn, roleForm)
	p := s.Target.EcsParameters
	r.network("Target", &ecs.NetworkConfiguration{AwsvpcConfiguration: ecs.AwsvpcConfiguration(p.NetworkConfiguration.AwsvpcConfiguration)}, p.LaunchType)
	r.between("Target", "count", p.TaskCount, 1, 10)
	r.between("Target", "retries", s.Target.RetryPolicy.MaximumEventAgeInSeconds, 60, 86400)
	r.between("Target", "retries", s.Target.RetryPolicy.MaximumRetryAttempts, 0, 185)
}
