package ecs

// Service is the part of CreateService's input that an export uses.
type Service struct {
	ServiceName                   string                   `json:"serviceName"`
	Cluster                       string                   `json:"cluster"`
	TaskDefinition                string                   `json:"taskDefinition"` // the family: its newest revision
	LaunchType                    string                   `json:"launchType"`
	PlatformVersion               string                   `json:"platformVersion,omitempty"`
	SchedulingStrategy            string                   `json:"schedulingStrategy"`
	DesiredCount                  int                      `json:"desiredCount"`
	NetworkConfiguration          *NetworkConfiguration    `json:"networkConfiguration,omitempty"`
	HealthCheckGracePeriodSeconds int                      `json:"healthCheckGracePeriodSeconds,omitempty"`
	DeploymentConfiguration       *DeploymentConfiguration `json:"deploymentConfiguration,omitempty"`
	AvailabilityZoneRebalancing   string                   `json:"availabilityZoneRebalancing"`
	ServiceConnectConfiguration   *ServiceConnect          `json:"serviceConnectConfiguration,omitempty"`
	EnableECSManagedTags          bool                     `json:"enableECSManagedTags"`
}

// RunTask is the part of RunTask's input that an export uses.
type RunTask struct {
	Cluster              string                `json:"cluster"`
	TaskDefinition       string                `json:"taskDefinition"`
	LaunchType           string                `json:"launchType"`
	PlatformVersion      string                `json:"platformVersion,omitempty"`
	Count                int                   `json:"count"`
	NetworkConfiguration *NetworkConfiguration `json:"networkConfiguration,omitempty"`
	EnableECSManagedTags bool                  `json:"enableECSManagedTags"`
}

// NetworkConfiguration is the network of a task.
type NetworkConfiguration struct {
	AwsvpcConfiguration AwsvpcConfiguration `json:"awsvpcConfiguration"`
}

// AwsvpcConfiguration is where a task's network interface is.
type AwsvpcConfiguration struct {
	Subnets        []string `json:"subnets"`
	SecurityGroups []string `json:"securityGroups,omitempty"`
	AssignPublicIP string   `json:"assignPublicIp,omitempty"`
}

// DeploymentConfiguration is how a service's tasks are replaced: percentages are of desiredCount.
type DeploymentConfiguration struct {
	Strategy                 string          `json:"strategy"`
	MinimumHealthyPercent    int             `json:"minimumHealthyPercent"`
	MaximumPercent           int             `json:"maximumPercent"`
	DeploymentCircuitBreaker *CircuitBreaker `json:"deploymentCircuitBreaker,omitempty"`
}

// CircuitBreaker ends a deployment whose tasks do not come up.
type CircuitBreaker struct {
	Enable   bool `json:"enable"`
	Rollback bool `json:"rollback"`
}

// ServiceConnect gives a service's tasks the names of others and, with Services, others its own.
type ServiceConnect struct {
	Enabled   bool                    `json:"enabled"`
	Namespace string                  `json:"namespace"`
	Services  []ServiceConnectService `json:"services,omitempty"`
}

// ServiceConnectService is a port that other tasks reach by a name.
type ServiceConnectService struct {
	PortName      string        `json:"portName"`
	DiscoveryName string        `json:"discoveryName"`
	ClientAliases []ClientAlias `json:"clientAliases"`
}

// ClientAlias is the address that other tasks use.
type ClientAlias struct {
	Port    int    `json:"port"`
	DNSName string `json:"dnsName"`
}

// Schedule is the part of EventBridge Scheduler's CreateSchedule input that an export uses. Its names are AWS's own.
type Schedule struct {
	Name                       string             `json:"Name"`
	ScheduleExpression         string             `json:"ScheduleExpression"`
	ScheduleExpressionTimezone string             `json:"ScheduleExpressionTimezone"`
	State                      string             `json:"State"`
	FlexibleTimeWindow         FlexibleTimeWindow `json:"FlexibleTimeWindow"`
	Target                     ScheduleTarget     `json:"Target"`
}

// FlexibleTimeWindow is by how much a start may be late.
type FlexibleTimeWindow struct {
	Mode string `json:"Mode"`
}

// ScheduleTarget is what a schedule starts.
type ScheduleTarget struct {
	Arn           string          `json:"Arn"` // of the cluster
	RoleArn       string          `json:"RoleArn"`
	EcsParameters ScheduleECS     `json:"EcsParameters"`
	RetryPolicy   ScheduleRetries `json:"RetryPolicy"`
}

// ScheduleECS is the task that a schedule starts.
type ScheduleECS struct {
	TaskDefinitionArn    string          `json:"TaskDefinitionArn"` // without a revision: the newest
	TaskCount            int             `json:"TaskCount"`
	LaunchType           string          `json:"LaunchType"`
	PlatformVersion      string          `json:"PlatformVersion,omitempty"`
	NetworkConfiguration ScheduleNetwork `json:"NetworkConfiguration"`
	EnableECSManagedTags bool            `json:"EnableECSManagedTags"`
}

// ScheduleNetwork is NetworkConfiguration in the scheduler's spelling.
type ScheduleNetwork struct {
	AwsvpcConfiguration ScheduleAwsvpc `json:"awsvpcConfiguration"`
}

// ScheduleAwsvpc is AwsvpcConfiguration in the scheduler's spelling.
type ScheduleAwsvpc struct {
	Subnets        []string `json:"Subnets"`
	SecurityGroups []string `json:"SecurityGroups,omitempty"`
	AssignPublicIP string   `json:"AssignPublicIp,omitempty"`
}

// ScheduleRetries is how often, and until how many seconds later, a start that fails is tried again.
type ScheduleRetries struct {
	MaximumEventAgeInSeconds int `json:"MaximumEventAgeInSeconds"`
	MaximumRetryAttempts     int `json:"MaximumRetryAttempts"`
}
