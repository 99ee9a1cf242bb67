package compose

import (
	"strings"
	"unicode/utf8"

	"devstack/profiles/prod"
	"devstack/stack"
)

// The limits of the logs of a service, which has none of its own: bytes and files.
const (
	backingLogSize  = 10 << 20
	backingLogFiles = 10
)

// backing is a Redis, a Postgres or another server as a container. Its image begins as root, gives its user the data
// directory and becomes that user: what this needs stays of the capabilities, and the root is not read-only.
func (r *renderer) backing(b prod.Backing) service {
	c := b.Container
	image := literal(b.Image)
	if !strings.Contains(b.Image, "@sha256:") {
		image = r.given.image(strings.ToUpper(strings.ReplaceAll(b.Name, "-", "_"))+"_IMAGE", b.Image+" with its digest")
	}
	s := service{
		Image: image, Entrypoint: literals(c.Entrypoint), Command: literals(c.Command), User: literal(c.User),
		Environment: map[string]string{},
		Restart:     restart(prod.Always),
		StopSignal:  c.StopSignal, StopGracePeriod: stack.FormatDuration(c.StopGrace),
		CapDrop: []string{"ALL"}, CapAdd: []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
		SecurityOpt: []string{"no-new-privileges:true"},
		Deploy:      deploy{Resources: resources{Limits: limits{Pids: pids}}},
		Swap:        c.Memory,
		Logging:     logs(prod.Logs{MaxSize: backingLogSize, MaxFiles: backingLogFiles}),
	}
	if c.Memory > 0 {
		s.Deploy.Resources = memory(c.Memory, 0, pids)
	}
	for _, v := range c.Config {
		if !utf8.ValidString(v.Value) {
			r.RefuseService(b, "environment."+v.Name, "its value is not UTF-8, which is all that YAML has", "encode it")
		}
		s.Environment[v.Name] = literal(v.Value)
	}
	for _, secret := range c.Secrets {
		if !interpolated.MatchString(secret.Name) {
			r.RefuseService(b, "environment."+secret.Name, "Compose takes no variable of this name from outside", "use letters, digits and underscores")
		}
		s.Environment[secret.Name] = r.given.secret(b.Name, secret)
	}
	for _, v := range c.Volumes {
		s.Volumes = append(s.Volumes, mount{Type: "volume", Source: v.Name, Target: target(v.Target), ReadOnly: v.ReadOnly})
	}
	if c.Probe != nil && len(c.Probe.Command) > 0 {
		s.Healthcheck = check(c.Probe.Command, *c.Probe)
	}
	return s
}
