package prod

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/stack"
)

// backing is every service of the Compose file, by name.
func (d *deriver) backing(all []Workload) []Backing {
	out := []Backing{}
	if d.st.Compose == nil {
		return out
	}
	for _, name := range d.st.Compose.ServiceNames() {
		service := d.st.Compose.Services[name]
		b := Backing{Name: name, Kind: kindOfImage(service.Image), Image: service.Image, Consumers: []string{}}
		b.Port = portOf(service, b.Kind)
		for _, w := range all {
			if slices.ContainsFunc(w.Edges, func(e Edge) bool { return e.Backing && e.Name == name }) {
				b.Consumers = append(b.Consumers, w.Name)
			}
		}
		if slices.Contains(d.o.Containers, name) {
			if name != dnsName(name) {
				d.refuse(ServiceSubject(name), "name", "it is not a DNS label", "rename it to "+dnsName(name))
			}
			b.Container = d.container(service)
		}
		out = append(out, b)
	}
	return out
}

// kindOfImage knows the servers that a provider offers as managed ones by their images' names.
func kindOfImage(image string) BackingKind {
	name := path.Base(image)
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	for _, word := range []string{"exporter", "insight", "commander", "sentinel", "backup", "operator", "postgrest"} {
		if strings.Contains(name, word) {
			return Other
		}
	}
	for _, prefix := range []string{"redis", "valkey", "keydb"} {
		if strings.HasPrefix(name, prefix) {
			return Redis
		}
	}
	for _, prefix := range []string{"postgres", "postgis", "pgvector", "timescale"} {
		if strings.HasPrefix(name, prefix) {
			return Postgres
		}
	}
	return Other
}

func portOf(s types.ServiceConfig, kind BackingKind) int {
	switch {
	case len(s.Ports) > 0:
		return int(s.Ports[0].Target)
	case kind == Redis:
		return 6379
	case kind == Postgres:
		return 5432
	}
	return 0
}

// container is a service that stays one in production. What it needs of a host is refused: production has many.
func (d *deriver) container(s types.ServiceConfig) *Container {
	subject := ServiceSubject(s.Name)
	if s.Image == "" {
		d.refuse(subject, "build", "an export does not build backing services", "give it an image")
	}
	c := &Container{
		Entrypoint: notNil(d.argv(subject, "entrypoint", s.Entrypoint)), Command: notNil(d.argv(subject, "command", s.Command)), User: s.User,
		Config: []Variable{}, Secrets: []Secret{}, Volumes: []Volume{},
		StopSignal: s.StopSignal, StopGrace: 10 * time.Second, Memory: int64(s.MemLimit),
	}
	if s.StopGracePeriod != nil {
		c.StopGrace = time.Duration(*s.StopGracePeriod)
	}
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil && s.Deploy.Resources.Limits.MemoryBytes != 0 {
		c.Memory = int64(s.Deploy.Resources.Limits.MemoryBytes)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		value := s.Environment[name]
		switch {
		case value == nil:
			c.Secrets = append(c.Secrets, Secret{name, Unset})
		case soundsSecret(name):
			c.Secrets = append(c.Secrets, Secret{name, SoundsSecret})
		case stack.MaskText(*value) != *value:
			c.Secrets = append(c.Secrets, Secret{name, LooksSecret})
		default:
			c.Config = append(c.Config, Variable{name, *value})
		}
	}
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeVolume || v.Source == "" {
			d.refuse(subject, "volumes", "only named volumes exist in production, and "+v.Target+" is a "+v.Type, "name a volume, or build what is mounted into an image")
			continue
		}
		c.Volumes = append(c.Volumes, Volume{Name: dnsName(v.Source), Target: v.Target, ReadOnly: v.ReadOnly})
	}
	c.Probe = d.containerProbe(s)
	return c
}

// containerProbe is Compose's healthcheck, with Compose's defaults.
func (d *deriver) containerProbe(s types.ServiceConfig) *Probe {
	h := s.HealthCheck
	if h == nil || h.Disable || len(h.Test) < 2 {
		return nil
	}
	p := &Probe{Kind: Exec, Interval: 30 * time.Second, Timeout: 30 * time.Second, Retries: 3}
	switch h.Test[0] {
	case "CMD":
		p.Command = d.argv(ServiceSubject(s.Name), "healthcheck", h.Test[1:])
	case "CMD-SHELL":
		p.Command = d.argv(ServiceSubject(s.Name), "healthcheck", []string{"/bin/sh", "-c", h.Test[1]})
	default:
		return nil
	}
	for to, from := range map[*time.Duration]*types.Duration{&p.Interval: h.Interval, &p.Timeout: h.Timeout, &p.StartPeriod: h.StartPeriod} {
		if from != nil {
			*to = time.Duration(*from)
		}
	}
	if h.Retries != nil {
		p.Retries = int(*h.Retries)
	}
	return p
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
