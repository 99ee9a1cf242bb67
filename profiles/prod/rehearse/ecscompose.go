package rehearse

import (
	"fmt"
	"strings"

	"devstack/profiles/prod/ecs"
)

// composeFile is how task definitions are said to docker compose, which can say to the engine all that they say.
type composeFile struct {
	Services map[string]composeService `json:"services"`
}

type composeService struct {
	Image          string                    `json:"image"`
	Entrypoint     []string                  `json:"entrypoint,omitempty"`
	Command        []string                  `json:"command,omitempty"`
	WorkingDir     string                    `json:"working_dir,omitempty"`
	User           string                    `json:"user,omitempty"`
	Environment    map[string]*string        `json:"environment"` // nil: from the environment of docker compose
	MemLimit       string                    `json:"mem_limit,omitempty"`
	MemSwapLimit   string                    `json:"memswap_limit,omitempty"` // tasks on Fargate have no swap
	MemReservation string                    `json:"mem_reservation,omitempty"`
	CPUShares      int                       `json:"cpu_shares,omitempty"`
	ReadOnly       bool                      `json:"read_only"`
	Privileged     bool                      `json:"privileged"`
	Init           bool                      `json:"init"`
	CapAdd         []string                  `json:"cap_add,omitempty"`
	CapDrop        []string                  `json:"cap_drop,omitempty"`
	Volumes        []string                  `json:"volumes,omitempty"` // anonymous: empty at first, as a task's
	StopGrace      string                    `json:"stop_grace_period,omitempty"`
	HealthCheck    *composeHealth            `json:"healthcheck,omitempty"`
	DependsOn      map[string]composeEdge    `json:"depends_on,omitempty"`
	Restart        string                    `json:"restart"`
	Networks       map[string]composeNetwork `json:"networks"`
	Scale          int                       `json:"scale"`
}

type composeHealth struct {
	Test        []string `json:"test"`
	Interval    string   `json:"interval"`
	Timeout     string   `json:"timeout"`
	Retries     int      `json:"retries"`
	StartPeriod string   `json:"start_period"`
}

type composeEdge struct {
	Condition string `json:"condition"`
}

type composeNetwork struct {
	Aliases []string `json:"aliases,omitempty"`
}

// composeOf says task definitions in Compose's words, and which service is which container. Other tasks reach a
// container by the names of its Service Connect alone, so the services have names that no app asks for.
func composeOf(tasks []task, o Options) (composeFile, map[string]string, error) {
	file := composeFile{Services: map[string]composeService{}}
	names := map[string]string{}
	for _, t := range tasks {
		for _, d := range t.definition.ContainerDefinitions {
			names[d.Name] = "task-" + d.Name
			service := serviceOf(d)
			service.Image = imageOf(o, d)
			service.Scale = t.service.DesiredCount
			aliases, err := aliasesOf(t.service, d)
			if err != nil {
				return file, nil, err
			}
			service.Networks = map[string]composeNetwork{"default": {Aliases: aliases}}
			file.Services[names[d.Name]] = service
		}
	}
	return file, names, nil
}

func serviceOf(d ecs.ContainerDefinition) composeService {
	out := composeService{
		Entrypoint: literal(d.EntryPoint), Command: literal(d.Command), WorkingDir: dollars(d.WorkingDirectory), User: d.User,
		Environment: map[string]*string{}, CPUShares: d.CPU, ReadOnly: d.ReadonlyRootFilesystem, Privileged: d.Privileged, Restart: "no",
	}
	if d.Memory > 0 {
		out.MemLimit = fmt.Sprintf("%dm", d.Memory)
		out.MemSwapLimit = out.MemLimit
	}
	if d.MemoryReservation > 0 {
		out.MemReservation = fmt.Sprintf("%dm", d.MemoryReservation)
	}
	if d.StopTimeout > 0 {
		out.StopGrace = inSeconds(d.StopTimeout)
	}
	for _, v := range d.Environment {
		value := dollars(v.Value)
		out.Environment[v.Name] = &value
	}
	for _, s := range d.Secrets {
		out.Environment[s.Name] = nil
	}
	if linux := d.LinuxParameters; linux != nil {
		out.Init = linux.InitProcessEnabled
		if linux.Capabilities != nil {
			out.CapAdd, out.CapDrop = linux.Capabilities.Add, linux.Capabilities.Drop
		}
	}
	for _, m := range d.MountPoints {
		out.Volumes = append(out.Volumes, m.ContainerPath)
	}
	if h := d.HealthCheck; h != nil {
		out.HealthCheck = &composeHealth{literal(h.Command), inSeconds(h.Interval), inSeconds(h.Timeout), h.Retries, inSeconds(h.StartPeriod)}
	}
	conditions := map[string]string{"START": "service_started", "COMPLETE": "service_completed_successfully", "SUCCESS": "service_completed_successfully", "HEALTHY": "service_healthy"}
	for _, e := range d.DependsOn {
		if out.DependsOn == nil {
			out.DependsOn = map[string]composeEdge{}
		}
		out.DependsOn["task-"+e.ContainerName] = composeEdge{conditions[e.Condition]}
	}
	if d.RestartPolicy != nil && d.RestartPolicy.Enabled {
		out.Restart = "unless-stopped"
	}
	return out
}

// aliasesOf are the names that Service Connect gives a container's ports.
func aliasesOf(service ecs.Service, d ecs.ContainerDefinition) ([]string, error) {
	if service.ServiceConnectConfiguration == nil {
		return nil, nil
	}
	var out []string
	for _, s := range service.ServiceConnectConfiguration.Services {
		for _, m := range d.PortMappings {
			for _, alias := range s.ClientAliases {
				if m.Name != s.PortName {
					continue
				}
				if alias.Port != m.ContainerPort {
					return nil, fmt.Errorf("cannot rehearse %s: Service Connect's port %d is not the container's %d", d.Name, alias.Port, m.ContainerPort)
				}
				out = append(out, alias.DNSName)
			}
		}
	}
	return out, nil
}

// dollars keeps docker compose from reading $ as a variable.
func dollars(text string) string { return strings.ReplaceAll(text, "$", "$$") }

func literal(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, dollars(w))
	}
	return out
}

func inSeconds(n int) string { return fmt.Sprintf("%ds", n) }
