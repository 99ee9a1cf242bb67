package ecs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	familyForm = `^[A-Za-z0-9_-]+$`
	portForm   = `^[a-z0-9_][a-z0-9_-]*$`
	roleForm   = `^arn:aws[a-z-]*:iam::(\d{12}|\$\{\w+\}):role/([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`
)

func (c *checker) taskDefinition(d TaskDefinition) {
	c.length("family", d.Family, 255)
	c.match("family", d.Family, familyForm)
	onFargate := slices.Contains(d.RequiresCompatibilities, "FARGATE")
	for i, word := range d.RequiresCompatibilities {
		c.oneOf(at("requiresCompatibilities", i, ""), word, "EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
	}
	c.oneOf("networkMode", d.NetworkMode, "none", "bridge", "awsvpc", "host")
	if p := d.RuntimePlatform; p != nil {
		c.oneOf("runtimePlatform.cpuArchitecture", p.CPUArchitecture, "X86_64", "ARM64")
		c.oneOf("runtimePlatform.operatingSystemFamily", p.OperatingSystemFamily, "LINUX")
	}
	for where, arn := range map[string]string{"executionRoleArn": d.ExecutionRoleArn, "taskRoleArn": d.TaskRoleArn} {
		if arn != "" {
			c.match(where, arn, roleForm)
		}
	}
	c.needsExecutionRole(d)
	c.taskSize(d, onFargate)
	c.containers(d)
	c.ports(d)
	c.dependencies(d)
	for i, container := range d.ContainerDefinitions {
		c.container(at("containerDefinitions", i, ""), container, onFargate)
	}
	if onFargate && d.NetworkMode != "awsvpc" {
		c.add("networkMode", "fargate-network", "Fargate has awsvpc alone", "awsvpc")
	}
	slices.SortStableFunc(c.found, func(a, b Problem) int { return strings.Compare(a.Where, b.Where) })
}

// needsExecutionRole: ECS itself reads secrets and, on Fargate, writes the logs.
func (c *checker) needsExecutionRole(d TaskDefinition) {
	needs := slices.ContainsFunc(d.ContainerDefinitions, func(x ContainerDefinition) bool {
		return len(x.Secrets) > 0 || x.LogConfiguration != nil && x.LogConfiguration.LogDriver == "awslogs"
	})
	if needs && d.ExecutionRoleArn == "" {
		c.add("executionRoleArn", "execution-role", "secrets and awslogs need one", "name a role that may read and write them")
	}
}

func (c *checker) taskSize(d TaskDefinition, onFargate bool) {
	cpu, memory := c.number("cpu", d.CPU), c.number("memory", d.Memory)
	switch {
	case onFargate && !isFargate(cpu, memory):
		c.add("cpu", "fargate-size", fmt.Sprintf("Fargate has no task of %s CPU units and %s MiB", d.CPU, d.Memory), "one of its pairs")
	case !onFargate && d.CPU != "":
		c.between("cpu", "task-cpu", cpu, limits{128, 196608})
	}
	sumCPU, sumMemory := 0, 0
	for _, x := range d.ContainerDefinitions {
		sumCPU += x.CPU
		sumMemory += max(x.Memory, x.MemoryReservation)
	}
	if d.CPU != "" && sumCPU > cpu {
		c.add("cpu", "sum", fmt.Sprintf("the containers ask for %d CPU units of %d", sumCPU, cpu), "a larger task")
	}
	if d.Memory != "" && sumMemory > memory {
		c.add("memory", "sum", fmt.Sprintf("the containers ask for %d MiB of %d", sumMemory, memory), "a larger task")
	}
}

// number is 0, which no size is, for what is no number: ECS would take "1 vCPU" as well, and an export never writes it.
func (c *checker) number(where, text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		c.add(where, "number", strconv.Quote(text)+" is no whole number", "digits in quotes")
	}
	return n
}

func (c *checker) containers(d TaskDefinition) {
	volumes := map[string]bool{}
	for i, v := range d.Volumes {
		c.length(at("volumes", i, "name"), v.Name, 255)
		c.match(at("volumes", i, "name"), v.Name, familyForm)
		if volumes[v.Name] {
			c.add(at("volumes", i, "name"), "twice", v.Name+" is there twice", "another name")
		}
		volumes[v.Name] = true
	}
	if len(d.ContainerDefinitions) == 0 {
		c.add("containerDefinitions", "essential", "a task has a container", "")
		return
	}
	if !slices.ContainsFunc(d.ContainerDefinitions, essential) {
		c.add("containerDefinitions", "essential", "no container is essential", "essential: true for at least one")
	}
	names := map[string]bool{}
	for i, x := range d.ContainerDefinitions {
		where := at("containerDefinitions", i, "name")
		if names[x.Name] {
			c.add(where, "twice", x.Name+" is there twice", "another name")
		}
		names[x.Name] = true
		for j, m := range x.MountPoints {
			if !volumes[m.SourceVolume] {
				c.add(at("containerDefinitions", i, at("mountPoints", j, "sourceVolume")), "volume", "the task has no volume "+m.SourceVolume, "add it to volumes")
			}
		}
		if d.Memory == "" && x.Memory == 0 && x.MemoryReservation == 0 {
			c.add(at("containerDefinitions", i, "memory"), "memory", "neither the container nor the task has a limit", "a limit in MiB")
		}
	}
}

func essential(x ContainerDefinition) bool { return x.Essential == nil || *x.Essential }

// ports: with awsvpc all containers of a task share one network interface.
func (c *checker) ports(d TaskDefinition) {
	taken, names := map[int]string{}, map[string]bool{}
	for i, x := range d.ContainerDefinitions {
		for j, p := range x.PortMappings {
			where := at("containerDefinitions", i, at("portMappings", j, ""))
			if p.ContainerPort < 1 || p.ContainerPort > 65535 {
				c.add(where+".containerPort", "port", strconv.Itoa(p.ContainerPort)+" is no port", "1 to 65535")
			}
			if owner, ok := taken[p.ContainerPort]; ok {
				c.add(where+".containerPort", "port-twice", fmt.Sprintf("port %d is %s's: containers of a task share one address", p.ContainerPort, owner), "another port")
			}
			taken[p.ContainerPort] = x.Name
			if d.NetworkMode == "awsvpc" && p.HostPort != 0 && p.HostPort != p.ContainerPort {
				c.add(where+".hostPort", "host-port", "with awsvpc it is the container's port", "leave it out")
			}
			if p.Protocol != "" {
				c.oneOf(where+".protocol", p.Protocol, "tcp", "udp")
			}
			if p.AppProtocol != "" {
				c.oneOf(where+".appProtocol", p.AppProtocol, "http", "http2", "grpc")
			}
			if p.Name == "" {
				continue
			}
			c.length(where+".name", p.Name, 64)
			c.match(where+".name", p.Name, portForm)
			if names[p.Name] {
				c.add(where+".name", "twice", p.Name+" is there twice", "another name")
			}
			names[p.Name] = true
		}
	}
}

// dependencies lead to containers of the same task, in no circle; the agent starts nothing otherwise.
func (c *checker) dependencies(d TaskDefinition) {
	byName := map[string]ContainerDefinition{}
	for _, x := range d.ContainerDefinitions {
		byName[x.Name] = x
	}
	for i, x := range d.ContainerDefinitions {
		for j, e := range x.DependsOn {
			where := at("containerDefinitions", i, at("dependsOn", j, ""))
			c.oneOf(where+".condition", e.Condition, "START", "COMPLETE", "SUCCESS", "HEALTHY")
			target, ok := byName[e.ContainerName]
			switch {
			case !ok:
				c.add(where+".containerName", "depends-on", "the task has no container "+e.ContainerName, "")
			case reaches(byName, e.ContainerName, x.Name, map[string]bool{}):
				c.add(where+".containerName", "depends-circle", x.Name+" and "+e.ContainerName+" wait for each other", "remove one of the two")
			case e.Condition == "HEALTHY" && target.HealthCheck == nil:
				c.add(where+".condition", "depends-health", e.ContainerName+" has no healthCheck", "START, or a healthCheck")
			case (e.Condition == "COMPLETE" || e.Condition == "SUCCESS") && essential(target):
				c.add(where+".condition", "depends-end", e.ContainerName+" is essential: the task ends with it", "essential: false for it")
			}
		}
	}
}

// reaches says whether dependencies lead from one container to another.
func reaches(byName map[string]ContainerDefinition, from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(byName[from].DependsOn, func(e Dependency) bool { return reaches(byName, e.ContainerName, to, seen) })
}
