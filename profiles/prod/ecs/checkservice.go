package ecs

import (
	"fmt"
	"slices"
	"strings"
)

const (
	discoveryForm = `^[a-z0-9_-]+$`
	dnsForm       = `^[a-zA-Z0-9_.-]{1,127}$`
	scheduleForm  = `^[0-9a-zA-Z-_.]{1,64}$`
	zoneForm      = `^[A-Za-z0-9_+/-]{1,50}$`
	awsCronForm   = `^cron\(\S+ \S+ \S+ \S+ \S+ \S+\)$`
)

func (c *checker) service(s Service) {
	c.length("serviceName", s.ServiceName, 255)
	c.match("serviceName", s.ServiceName, familyForm)
	c.launch(s.Cluster, s.TaskDefinition, s.LaunchType, s.PlatformVersion)
	c.network(s.NetworkConfiguration, s.LaunchType)
	c.oneOf("schedulingStrategy", s.SchedulingStrategy, "REPLICA", "DAEMON")
	if s.SchedulingStrategy == "DAEMON" && s.LaunchType == "FARGATE" {
		c.add("schedulingStrategy", "fargate-daemon", "Fargate has no machines to run one on each", "REPLICA")
	}
	if s.DesiredCount < 0 {
		c.add("desiredCount", "count", "it is negative", "0 or more")
	}
	if s.HealthCheckGracePeriodSeconds < 0 {
		c.add("healthCheckGracePeriodSeconds", "grace", "it is negative", "0 or more")
	}
	c.deployment(s)
	c.serviceConnect(s.ServiceConnectConfiguration)
}

func (c *checker) launch(cluster, definition, launchType, platform string) {
	c.length("cluster", cluster, 255)
	c.length("taskDefinition", definition, 2048)
	c.oneOf("launchType", launchType, "EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
	if platform != "" && launchType != "FARGATE" {
		c.add("platformVersion", "platform", "it is Fargate's alone", "leave it out")
	}
}

// network of a task with awsvpc: every task that an export writes has it.
func (c *checker) network(n *NetworkConfiguration, launchType string) {
	if n == nil {
		c.add("networkConfiguration", "network", "a task with awsvpc needs one", "subnets and security groups")
		return
	}
	c.awsvpc("networkConfiguration.awsvpcConfiguration", n.AwsvpcConfiguration, launchType)
}

func (c *checker) awsvpc(where string, v AwsvpcConfiguration, launchType string) {
	if len(v.Subnets) == 0 || len(v.Subnets) > 16 {
		c.add(where+".subnets", "network", fmt.Sprintf("%d, and ECS takes 1 to 16", len(v.Subnets)), "")
	}
	if len(v.SecurityGroups) > 5 {
		c.add(where+".securityGroups", "network", fmt.Sprintf("%d, and ECS takes 5 at most", len(v.SecurityGroups)), "")
	}
	if v.AssignPublicIP == "" {
		return
	}
	c.oneOf(where+".assignPublicIp", v.AssignPublicIP, "ENABLED", "DISABLED")
	if v.AssignPublicIP == "ENABLED" && launchType != "FARGATE" {
		c.add(where+".assignPublicIp", "network", "it is Fargate's alone", "leave it out")
	}
}

// deployment: a service must be able to do one of the two, stop a task first or start one first.
func (c *checker) deployment(s Service) {
	c.oneOf("availabilityZoneRebalancing", s.AvailabilityZoneRebalancing, "ENABLED", "DISABLED")
	d := s.DeploymentConfiguration
	if d == nil {
		return
	}
	c.oneOf("deploymentConfiguration.strategy", d.Strategy, "ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
	c.between("deploymentConfiguration.minimumHealthyPercent", "deployment-percent", d.MinimumHealthyPercent, limits{0, 100})
	c.between("deploymentConfiguration.maximumPercent", "deployment-percent", d.MaximumPercent, limits{100, 200})
	if d.MinimumHealthyPercent >= 100 && d.MaximumPercent <= 100 {
		c.add("deploymentConfiguration", "deployment-stuck", "it may neither stop a task nor start another one", "a minimum of 0 or a maximum of 200")
	}
	if s.AvailabilityZoneRebalancing == "ENABLED" && d.MaximumPercent <= 100 {
		c.add("availabilityZoneRebalancing", "rebalancing", "it starts a task in another zone first, and the maximum forbids that", "DISABLED")
	}
	if d.DeploymentCircuitBreaker != nil && d.Strategy != "ROLLING" {
		c.add("deploymentConfiguration.deploymentCircuitBreaker", "circuit-breaker", "it is of ROLLING alone", "leave it out")
	}
}

func (c *checker) serviceConnect(s *ServiceConnect) {
	if s == nil {
		return
	}
	c.length("serviceConnectConfiguration.namespace", s.Namespace, 1024)
	for i, x := range s.Services {
		where := at("serviceConnectConfiguration.services", i, "")
		c.length(where+".discoveryName", x.DiscoveryName, 64)
		c.match(where+".discoveryName", x.DiscoveryName, discoveryForm)
		if len(x.ClientAliases) != 1 {
			c.add(where+".clientAliases", "client-alias", fmt.Sprintf("%d, and ECS takes one", len(x.ClientAliases)), "")
		}
		for j, a := range x.ClientAliases {
			c.match(at(where+".clientAliases", j, "dnsName"), a.DNSName, dnsForm)
			if a.Port < 1 || a.Port > 65535 {
				c.add(at(where+".clientAliases", j, "port"), "port", fmt.Sprintf("%d is no port", a.Port), "1 to 65535")
			}
		}
	}
}

// connected compares a task definition with its service: Service Connect names ports that exist, and runs a proxy in the
// task, for which memory must be left.
func (c *checker) connected(d TaskDefinition, s ServiceConnect) {
	for _, x := range s.Services {
		if !slices.ContainsFunc(d.ContainerDefinitions, func(y ContainerDefinition) bool {
			return slices.ContainsFunc(y.PortMappings, func(p PortMapping) bool { return p.Name == x.PortName })
		}) {
			c.add("containerDefinitions", "connect-port", "its service serves "+x.PortName+", and no port has this name", "name the port so")
		}
	}
	if !s.Enabled || d.Memory == "" {
		return
	}
	sum := proxyMemory
	for _, x := range d.ContainerDefinitions {
		sum += x.Memory
	}
	if memory := c.number("memory", d.Memory); sum > memory {
		c.add("memory", "connect-memory", fmt.Sprintf("the containers and Service Connect's proxy need %d MiB of %d", sum, memory), "a larger task")
	}
}

func (c *checker) runTask(t RunTask) {
	c.launch(t.Cluster, t.TaskDefinition, t.LaunchType, t.PlatformVersion)
	c.network(t.NetworkConfiguration, t.LaunchType)
	if t.Count < 1 || t.Count > 10 {
		c.add("count", "count", fmt.Sprintf("%d, and ECS takes 1 to 10", t.Count), "")
	}
}

func (c *checker) schedule(s Schedule) {
	c.match("Name", s.Name, scheduleForm)
	c.match("ScheduleExpression", s.ScheduleExpression, awsCronForm)
	if words := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(s.ScheduleExpression, "cron("), ")")); len(words) == 6 {
		if (words[2] == "?") == (words[4] == "?") {
			c.add("ScheduleExpression", "schedule-days", "one of the day of the month and the day of the week is ?, and not both", "? for the one that is any day")
		}
	}
	c.match("ScheduleExpressionTimezone", s.ScheduleExpressionTimezone, zoneForm)
	c.oneOf("State", s.State, "ENABLED", "DISABLED")
	c.oneOf("FlexibleTimeWindow.Mode", s.FlexibleTimeWindow.Mode, "OFF")
	c.match("Target.RoleArn", s.Target.RoleArn, roleForm)
	p := s.Target.EcsParameters
	c.launch("in Target.Arn", p.TaskDefinitionArn, p.LaunchType, p.PlatformVersion)
	c.awsvpc("Target.EcsParameters.NetworkConfiguration.awsvpcConfiguration", AwsvpcConfiguration(p.NetworkConfiguration.AwsvpcConfiguration), p.LaunchType)
	if p.TaskCount < 1 || p.TaskCount > 10 {
		c.add("Target.EcsParameters.TaskCount", "count", fmt.Sprintf("%d, and the scheduler takes 1 to 10", p.TaskCount), "")
	}
	retries := s.Target.RetryPolicy
	if !(limits{60, 86400}).allow(retries.MaximumEventAgeInSeconds) || !(limits{0, 185}).allow(retries.MaximumRetryAttempts) {
		c.add("Target.RetryPolicy", "retries", "an age of 60 to 86400 s and 0 to 185 attempts are what the scheduler takes", "")
	}
}
