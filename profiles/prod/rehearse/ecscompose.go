package rehearse

import (
	"fmt"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/profiles/prod/ecs"
)

// composeOf says task definitions to docker compose, which can say to the engine all that they say, and which service is
// which container. Other tasks reach a container by the names of its Service Connect alone, so the services have names that
// no app asks for.
func composeOf(tasks []task, o Options) (types.Services, map[string]string, error) {
	services := types.Services{}
	names := map[string]string{}
	for _, t := range tasks {
		for _, d := range t.definition.ContainerDefinitions {
			names[d.Name] = "task-" + d.Name
			service := serviceOf(d)
			service.Image, service.Scale = imageOf(o, d), &t.service.DesiredCount
			aliases, err := aliasesOf(t.service, d)
			if err != nil {
				return nil, nil, err
			}
			service.Networks = map[string]*types.ServiceNetworkConfig{"default": {Aliases: aliases}}
			services[names[d.Name]] = service
		}
	}
	return services, names, nil
}

func serviceOf(d ecs.ContainerDefinition) types.ServiceConfig {
	out := types.ServiceConfig{Restart: "no"}
	out.Entrypoint, out.Command, out.WorkingDir, out.User = literal(d.EntryPoint), literal(d.Command), dollars(d.WorkingDirectory), d.User
	out.ReadOnly, out.Privileged, out.CPUShares = d.ReadonlyRootFilesystem, d.Privileged, int64(d.CPU)
	out.MemLimit, out.MemReservation = types.UnitBytes(d.Memory)<<20, types.UnitBytes(d.MemoryReservation)<<20
	out.MemSwapLimit = out.MemLimit // tasks on Fargate have no swap
	out.StopGracePeriod = inSeconds(d.StopTimeout)
	out.Environment = types.MappingWithEquals{}
	for _, v := range d.Environment {
		value := dollars(v.Value)
		out.Environment[v.Name] = &value
	}
	for _, s := range d.Secrets {
		out.Environment[s.Name] = nil // from the environment of docker compose
	}
	if linux := d.LinuxParameters; linux != nil {
		out.Init = &linux.InitProcessEnabled
		if linux.Capabilities != nil {
			out.CapAdd, out.CapDrop = linux.Capabilities.Add, linux.Capabilities.Drop
		}
	}
	for _, m := range d.MountPoints { // anonymous: empty at first, as a task's
		out.Volumes = append(out.Volumes, types.ServiceVolumeConfig{Type: types.VolumeTypeVolume, Target: m.ContainerPath})
	}
	if h := d.HealthCheck; h != nil {
		retries := uint64(h.Retries)
		out.HealthCheck = &types.HealthCheckConfig{
			Test: literal(h.Command), Interval: inSeconds(h.Interval), Timeout: inSeconds(h.Timeout), Retries: &retries, StartPeriod: inSeconds(h.StartPeriod),
		}
	}
	conditions := map[string]string{
		"START": types.ServiceConditionStarted, "COMPLETE": types.ServiceConditionCompletedSuccessfully,
		"SUCCESS": types.ServiceConditionCompletedSuccessfully, "HEALTHY": types.ServiceConditionHealthy,
	}
	for _, e := range d.DependsOn {
		if out.DependsOn == nil {
			out.DependsOn = types.DependsOnConfig{}
		}
		out.DependsOn["task-"+e.ContainerName] = types.ServiceDependency{Condition: conditions[e.Condition], Required: true}
	}
	if d.RestartPolicy != nil && d.RestartPolicy.Enabled {
		out.Restart = types.RestartPolicyUnlessStopped
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

// inSeconds is nil where a definition leaves the time to the engine.
func inSeconds(n int) *types.Duration {
	if n == 0 {
		return nil
	}
	d := types.Duration(time.Duration(n) * time.Second)
	return &d
}
