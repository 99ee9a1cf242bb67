package compose

import "strings"

// document is a Compose file. Every text in it is either made by literal or a ${...} that Compose is to fill in.
type document struct {
	Name     string              `yaml:"name"`
	Services map[string]service  `yaml:"services"` // the encoder sorts
	Volumes  map[string]struct{} `yaml:"volumes,omitempty"`
}

// service is one service, in the order in which it is to be read: what it is, what it gets, how it lives, what it may.
type service struct {
	Image      string            `yaml:"image"`
	Profiles   []string          `yaml:"profiles,omitempty"`
	Labels     map[string]string `yaml:"labels,omitempty"`
	Entrypoint []string          `yaml:"entrypoint,omitempty"`
	Command    []string          `yaml:"command,omitempty"`
	WorkingDir string            `yaml:"working_dir,omitempty"`
	User       string            `yaml:"user,omitempty"`

	Environment map[string]string    `yaml:"environment,omitempty"`
	Volumes     []mount              `yaml:"volumes,omitempty"`
	Expose      []string             `yaml:"expose,omitempty"`
	Ports       []string             `yaml:"ports,omitempty"`
	DependsOn   map[string]condition `yaml:"depends_on,omitempty"`

	Healthcheck     *healthcheck `yaml:"healthcheck,omitempty"`
	Restart         string       `yaml:"restart"`
	StopSignal      string       `yaml:"stop_signal,omitempty"`
	StopGracePeriod string       `yaml:"stop_grace_period"`

	Init        bool     `yaml:"init,omitempty"`
	ReadOnly    bool     `yaml:"read_only,omitempty"`
	Tmpfs       []string `yaml:"tmpfs,omitempty"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add,omitempty"`
	SecurityOpt []string `yaml:"security_opt"`

	CPUShares int     `yaml:"cpu_shares,omitempty"`
	Deploy    deploy  `yaml:"deploy"`
	Swap      int64   `yaml:"memswap_limit,omitempty"` // memory and swap together: equal to the memory, there is no swap
	Logging   logging `yaml:"logging"`
}

type mount struct {
	Type     string `yaml:"type"`
	Source   string `yaml:"source"`
	Target   string `yaml:"target"`
	ReadOnly bool   `yaml:"read_only,omitempty"`
}

type condition struct {
	Condition string `yaml:"condition"`
}

type healthcheck struct {
	Test        []string `yaml:"test"`
	Interval    string   `yaml:"interval"`
	Timeout     string   `yaml:"timeout"`
	Retries     int      `yaml:"retries"`
	StartPeriod string   `yaml:"start_period,omitempty"`
}

type deploy struct {
	Replicas  *int      `yaml:"replicas,omitempty"`
	Resources resources `yaml:"resources"`
}

type resources struct {
	Limits       limits `yaml:"limits"`
	Reservations limits `yaml:"reservations,omitempty"`
}

type limits struct {
	Memory string `yaml:"memory,omitempty"` // bytes
	Pids   int    `yaml:"pids,omitempty"`
}

type logging struct {
	Driver  string            `yaml:"driver"`
	Options map[string]string `yaml:"options"`
}

// literal is a text that Compose is to take as it is: its interpolation reads $$ as $.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

func literals(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, literal(s))
	}
	return out
}
