package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"devstack/profiles/prod"
	"devstack/profiles/prod/ecs"
)

// task is what one directory of the export says.
type task struct {
	definition ecs.TaskDefinition
	service    ecs.Service // zero for what is no service
}

// rehearseECS starts every container of every task definition on the Docker Engine, as the agent of a container instance
// does. It schedules nothing: what AWS adds is listed as not proven.
func (s *session) rehearseECS(ctx context.Context, o Options) ([]Check, error) {
	tasks, err := readTasks(o.Dir, o.Export.Files)
	if err != nil {
		return nil, err
	}
	document, services, err := composeOf(tasks, o)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"services": document})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(o.Dir, "rehearsal.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	p := s.newProject(o, "ecs", file)
	p.services = services
	err = p.prove(ctx)
	if err == nil {
		p.asDefined(ctx, tasks)
	}
	err = errors.Join(err, p.end(ctx))
	for _, n := range notProvenOnECS(tasks) {
		p.add("stack", n.claim, NotProven, 0, "%s", n.why)
	}
	return p.checks, err
}

// readTasks reads the files as they are, and takes nothing in them that is not known.
func readTasks(dir string, files []prod.File) ([]task, error) {
	var tasks []task
	for _, f := range files {
		if path.Base(f.Path) != ecs.TaskDefinitionFile {
			continue
		}
		var t task
		if err := readStrictly(filepath.Join(dir, filepath.FromSlash(f.Path)), &t.definition); err != nil {
			return nil, err
		}
		service := filepath.Join(dir, filepath.FromSlash(path.Dir(f.Path)), ecs.ServiceFile)
		if err := readStrictly(service, &t.service); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

func readStrictly(name string, into any) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	d := json.NewDecoder(file)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return nil
}

// asDefined compares the containers that ran with the task definitions: what started them could have left something out.
func (p *project) asDefined(ctx context.Context, tasks []task) {
	for _, t := range tasks {
		for _, d := range t.definition.ContainerDefinitions {
			for _, id := range p.containers(ctx, d.Name) {
				c, err := inspect(ctx, id)
				if err != nil {
					p.add(d.Name, "as defined", Failed, 0, "%v", err)
					continue
				}
				if wrong := differences(c, d, p.image(d)); len(wrong) > 0 {
					p.add(d.Name, "as defined", Failed, 0, "the container has another %s", strings.Join(wrong, ", "))
				} else {
					p.add(d.Name, "as defined", Passed, 0, "image, command, directory, user, memory %d MiB, read-only root, init, capabilities, stop timeout, health check", d.Memory)
				}
			}
		}
	}
}

func (p *project) image(d ecs.ContainerDefinition) string { return imageOf(p.Options, d) }

// imageOf is a container's image, the placeholder resolved.
func imageOf(o Options, d ecs.ContainerDefinition) string {
	for _, w := range o.Export.Model.Workloads {
		if d.Image == "${"+w.Image.Variable+"}" {
			return o.Images[w.App]
		}
	}
	return d.Image
}

// differences are the settings in which a container is not what a definition says.
func differences(c container, d ecs.ContainerDefinition, image string) []string {
	linux := d.LinuxParameters
	if linux == nil {
		linux = &ecs.LinuxParameters{}
	}
	var dropped, test []string
	if linux.Capabilities != nil {
		dropped = linux.Capabilities.Drop
	}
	if d.HealthCheck != nil {
		test = d.HealthCheck.Command
	}
	var seen []string
	if c.Config.Healthcheck != nil {
		seen = c.Config.Healthcheck.Test
	}
	var wrong []string
	for name, same := range map[string]bool{
		"image":             c.Config.Image == image,
		"command":           slices.Equal(append(slices.Clone(c.Config.Entrypoint), c.Config.Cmd...), append(slices.Clone(d.EntryPoint), d.Command...)),
		"working directory": c.Config.WorkingDir == d.WorkingDirectory,
		"user":              c.Config.User == d.User,
		"memory limit":      c.HostConfig.Memory == int64(d.Memory)<<20,
		"root filesystem":   c.HostConfig.ReadonlyRootfs == d.ReadonlyRootFilesystem,
		"init":              (c.HostConfig.Init != nil && *c.HostConfig.Init) == linux.InitProcessEnabled,
		"capabilities":      slices.Equal(c.HostConfig.CapDrop, dropped),
		"stop timeout":      c.Config.StopTimeout != nil && *c.Config.StopTimeout == d.StopTimeout,
		"health check":      slices.Equal(seen, test),
	} {
		if !same {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// unproven is a claim that no engine but AWS's can prove.
type unproven struct{ claim, why string }

func notProvenOnECS(tasks []task) []unproven {
	out := []unproven{
		{"placement", "Fargate's sizes, platform and processors; only AWS places tasks"},
		{"roles and secrets", "that the roles exist and may read the parameters: the values came from this rehearsal"},
		{"image pull", "that ECR has the images, for the right processor"},
		{"logs", "the awslogs driver: the engine's own was used"},
		{"network", "awsvpc interfaces, security groups and Service Connect's proxy: names were resolved by an alias in one network"},
		{"deployment", "the circuit breaker, minimum and maximum percentages, replacement of what ends or gets unhealthy"},
	}
	for _, t := range tasks {
		if len(t.definition.ContainerDefinitions) > 1 {
			out = append(out, unproven{"one task", "containers of " + t.definition.Family + " share a loopback interface on ECS; here each has its own"})
		}
	}
	return out
}
