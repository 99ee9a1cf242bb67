package view

import "time"

// ProcessDetails is a process with its history and what a reload is doing to it.
type ProcessDetails struct {
	Process
	Children      []int        `json:"children"` // pids of the tree below Pid
	Exits         []ExitRecord `json:"exits"`    // newest last, at most 20
	Probes        []Probe      `json:"probes"`   // newest last, at most 5
	NextRestartAt *time.Time   `json:"next_restart_at"`
	Generation    int64        `json:"generation"` // of the launch that Status is about; every launch has its own
	RestartsBy    Restarts     `json:"restarts_by_cause"`
	LastError     Text         `json:"last_error"`   // why the last launch could not even start
	Held          []Address    `json:"held"`         // of what it listens on, what outlives it; the host * is every address
	Successor     *Successor   `json:"successor"`    // during a reload: the launch that is to replace it
	RetiringPid   *int         `json:"retiring_pid"` // during a reload: the launch that it has replaced, and that ends
}

// Successor is a launch beside the one that it replaces as soon as it is ready and stays so.
type Successor struct {
	Pid   *int `json:"pid"` // null: about to be launched
	Ready bool `json:"ready"`
}

// ServiceDetails is a service with its definition and history.
type ServiceDetails struct {
	Service
	ContainerName  string       `json:"container_name"`
	DependsOn      []DependsOn  `json:"depends_on"`
	Probes         []Probe      `json:"probes"` // newest last, at most 5
	Exits          []ExitRecord `json:"exits"`  // newest last, at most 20
	Volumes        []string     `json:"volumes"`
	Networks       []string     `json:"networks"`
	Detail         string       `json:"detail"`          // why it is in this state, in one sentence
	StoppedAt      *time.Time   `json:"stopped_at"`      // when others stopped it, as far as known
	RepairAttempts int          `json:"repair_attempts"` // attempts to bring it back, and deaths soon after one, in a row
}

// NewService is a service of which nothing but its name is known yet.
func NewService(name string) ServiceDetails {
	return ServiceDetails{
		Service:   Service{Name: name, State: Absent, Health: HealthStopped, EngineHealth: "none", Ports: []PublishedPort{}},
		DependsOn: []DependsOn{}, Probes: []Probe{}, Exits: []ExitRecord{}, Volumes: []string{}, Networks: []string{},
	}
}

// DependsOn is one edge of the graph.
type DependsOn struct {
	Name      string `json:"name"`
	Condition string `json:"condition"` // Compose's: service_started, service_healthy, service_completed_successfully
	Open      bool   `json:"open"`      // the dependency is as far as the condition asks
}
