package ecs

// TaskDefinition is the part of RegisterTaskDefinition's input that an export uses, in the order in which it is read.
type TaskDefinition struct {
	Family                  string                `json:"family"`
	RequiresCompatibilities []string              `json:"requiresCompatibilities"`
	NetworkMode             string                `json:"networkMode"`
	CPU                     string                `json:"cpu,omitempty"`    // thousandths of 1024 per processor
	Memory                  string                `json:"memory,omitempty"` // MiB
	RuntimePlatform         *RuntimePlatform      `json:"runtimePlatform,omitempty"`
	ExecutionRoleArn        string                `json:"executionRoleArn,omitempty"`
	TaskRoleArn             string                `json:"taskRoleArn,omitempty"`
	Volumes                 []Volume              `json:"volumes,omitempty"`
	ContainerDefinitions    []ContainerDefinition `json:"containerDefinitions"`
}

// RuntimePlatform is what machine the images are for.
type RuntimePlatform struct {
	CPUArchitecture       string `json:"cpuArchitecture"`
	OperatingSystemFamily string `json:"operatingSystemFamily"`
}

// Volume is an empty directory of a task.
type Volume struct {
	Name string `json:"name"`
}

// ContainerDefinition is one container of a task. CPU is in 1024ths of a processor, memory in MiB, times in seconds.
type ContainerDefinition struct {
	Name                   string            `json:"name"`
	Image                  string            `json:"image"`
	Essential              *bool             `json:"essential,omitempty"` // nil: true
	CPU                    int               `json:"cpu,omitempty"`
	Memory                 int               `json:"memory,omitempty"`
	MemoryReservation      int               `json:"memoryReservation,omitempty"`
	EntryPoint             []string          `json:"entryPoint,omitempty"`
	Command                []string          `json:"command,omitempty"`
	WorkingDirectory       string            `json:"workingDirectory,omitempty"`
	User                   string            `json:"user,omitempty"`
	ReadonlyRootFilesystem bool              `json:"readonlyRootFilesystem,omitempty"`
	Privileged             bool              `json:"privileged,omitempty"`
	LinuxParameters        *LinuxParameters  `json:"linuxParameters,omitempty"`
	MountPoints            []MountPoint      `json:"mountPoints,omitempty"`
	PortMappings           []PortMapping     `json:"portMappings,omitempty"`
	Environment            []Variable        `json:"environment,omitempty"`
	Secrets                []Secret          `json:"secrets,omitempty"`
	HealthCheck            *HealthCheck      `json:"healthCheck,omitempty"`
	DependsOn              []Dependency      `json:"dependsOn,omitempty"`
	RestartPolicy          *RestartPolicy    `json:"restartPolicy,omitempty"`
	StopTimeout            int               `json:"stopTimeout,omitempty"`
	LogConfiguration       *LogConfiguration `json:"logConfiguration,omitempty"`
}

// LinuxParameters are a container's settings of the kernel.
type LinuxParameters struct {
	InitProcessEnabled bool          `json:"initProcessEnabled,omitempty"`
	Capabilities       *Capabilities `json:"capabilities,omitempty"`
}

// Capabilities are the kernel's capabilities that a container has more or less than the default.
type Capabilities struct {
	Add  []string `json:"add,omitempty"`
	Drop []string `json:"drop,omitempty"`
}

// MountPoint is where a container has a volume.
type MountPoint struct {
	SourceVolume  string `json:"sourceVolume"`
	ContainerPath string `json:"containerPath"`
}

// PortMapping is a port that a container listens on.
type PortMapping struct {
	Name          string `json:"name,omitempty"`
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort,omitempty"`
	Protocol      string `json:"protocol,omitempty"`
	AppProtocol   string `json:"appProtocol,omitempty"`
}

// Variable is a plain environment variable.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Secret is an environment variable whose value ECS reads from a store.
type Secret struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

// HealthCheck is a command in the container, CMD or CMD-SHELL first. Times are in seconds, 0 is ECS's default.
type HealthCheck struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval,omitempty"`
	Timeout     int      `json:"timeout,omitempty"`
	Retries     int      `json:"retries,omitempty"`
	StartPeriod int      `json:"startPeriod,omitempty"`
}

// Dependency is a container of the same task that must have come so far first.
type Dependency struct {
	ContainerName string `json:"containerName"`
	Condition     string `json:"condition"` // START, COMPLETE, SUCCESS or HEALTHY
}

// RestartPolicy restarts a container in its task, once it ran for restartAttemptPeriod seconds.
type RestartPolicy struct {
	Enabled              bool  `json:"enabled"`
	IgnoredExitCodes     []int `json:"ignoredExitCodes,omitempty"`
	RestartAttemptPeriod int   `json:"restartAttemptPeriod,omitempty"`
}

// LogConfiguration is where stdout and stderr go.
type LogConfiguration struct {
	LogDriver string            `json:"logDriver"`
	Options   map[string]string `json:"options,omitempty"` // encoding/json sorts them
}
