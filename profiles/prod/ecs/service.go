package ecs

import (
	"slices"

	"devstack/profiles/prod"
)

func (r *renderer) network() *NetworkConfiguration {
	return &NetworkConfiguration{AwsvpcConfiguration{
		Subnets:        []string{r.parameter("SUBNET_A"), r.parameter("SUBNET_B")},
		SecurityGroups: []string{r.parameter("SECURITY_GROUP")}, AssignPublicIP: r.launch.publicIP,
	}}
}

// service keeps a task running. Of a singleton the old task ends before the new one starts, and Availability Zones are
// not balanced, which would start a second one.
func (r *renderer) service(t task) Service {
	s := Service{
		ServiceName: t.name, Cluster: r.Model.Name, TaskDefinition: r.family(t),
		LaunchType: r.launch.kind, PlatformVersion: r.launch.platform, SchedulingStrategy: "REPLICA",
		DesiredCount: t.members[0].Replicas, NetworkConfiguration: r.network(),
		DeploymentConfiguration: &DeploymentConfiguration{
			Strategy: "ROLLING", MinimumHealthyPercent: 100, MaximumPercent: 200,
			DeploymentCircuitBreaker: &CircuitBreaker{Enable: true, Rollback: true},
		},
		AvailabilityZoneRebalancing: "ENABLED", EnableECSManagedTags: true,
	}
	if slices.ContainsFunc(t.members, func(w prod.Workload) bool { return w.Singleton }) {
		s.DeploymentConfiguration.MinimumHealthyPercent, s.DeploymentConfiguration.MaximumPercent = 0, 100
		s.AvailabilityZoneRebalancing = "DISABLED"
	}
	for _, w := range t.members {
		if healthCheck(w) != nil {
			s.HealthCheckGracePeriodSeconds = max(s.HealthCheckGracePeriodSeconds, seconds(w.Probe.StartPeriod))
		}
	}
	if !t.connect {
		return s
	}
	s.ServiceConnectConfiguration = &ServiceConnect{Enabled: true, Namespace: r.Model.Name}
	for _, w := range t.members {
		for _, p := range w.Ports {
			s.ServiceConnectConfiguration.Services = append(s.ServiceConnectConfiguration.Services, ServiceConnectService{
				PortName: portName(w, p), DiscoveryName: w.Name, ClientAliases: []ClientAlias{{Port: p.Number, DNSName: w.Name}},
			})
		}
	}
	return s
}

// runTask runs a job once. A job that is not to be started has the file, too: a person runs it.
func (r *renderer) runTask(t task) RunTask {
	return RunTask{
		Cluster: r.Model.Name, TaskDefinition: r.family(t), LaunchType: r.launch.kind, PlatformVersion: r.launch.platform,
		Count: 1, NetworkConfiguration: r.network(), EnableECSManagedTags: true,
	}
}

// schedule starts a task by the clock. A start that fails is tried again within the minute: later is another time.
func (r *renderer) schedule(t task) Schedule {
	w := t.members[0]
	expression, err := awsCron(w.Schedule.Expression)
	if err != nil {
		r.Refuse(w, "cron_restart", err.Error(), "write an app for each of the two, or another schedule")
	}
	if w.Schedule.Zone == "Local" {
		r.Refuse(w, "cron_restart", "AWS does not know this machine's time zone", "write CRON_TZ= with the name of a place: Europe/Berlin")
	}
	network := r.network().AwsvpcConfiguration
	s := Schedule{
		Name: r.family(t), ScheduleExpression: expression, ScheduleExpressionTimezone: w.Schedule.Zone,
		State: "ENABLED", FlexibleTimeWindow: FlexibleTimeWindow{Mode: "OFF"},
		Target: ScheduleTarget{
			Arn: r.arn("ecs", "cluster/"+r.Model.Name), RoleArn: r.scheduleRole(),
			EcsParameters: ScheduleECS{
				TaskDefinitionArn: r.arn("ecs", "task-definition/"+r.family(t)), TaskCount: 1,
				LaunchType: r.launch.kind, PlatformVersion: r.launch.platform,
				NetworkConfiguration: ScheduleNetwork{ScheduleAwsvpc(network)}, EnableECSManagedTags: true,
			},
			RetryPolicy: ScheduleRetries{MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 3},
		},
	}
	if s.ScheduleExpressionTimezone == "" {
		s.ScheduleExpressionTimezone = "UTC"
	}
	if w.Replicas == 0 {
		s.State = "DISABLED"
	}
	return s
}
