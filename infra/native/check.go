package native

import (
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
)

// Check names everything in p that the host's servers cannot do.
func (d *Driver) Check(p *types.Project) error { return check(p) }

func check(p *types.Project) error {
	var found []error
	for _, name := range infra.Order(p) {
		s := p.Services[name]
		_, refused := define(p, s)
		for _, r := range refused {
			found = append(found, &infra.Error{
				Kind: infra.Unsupported, Service: name, Message: fmt.Sprintf("service %s: %s", name, r),
				Hint: "use Docker for the services: devstack up --infra docker",
			})
		}
	}
	return firstOf(found)
}

// Warnings are what p asks for and native services do otherwise, a sentence each, for people.
func (d *Driver) Warnings(p *types.Project) []string {
	var out []string
	warn := func(service, format string, args ...any) {
		out = append(out, fmt.Sprintf("service %s: ", service)+fmt.Sprintf(format, args...))
	}
	for _, name := range infra.Order(p) {
		s := p.Services[name]
		def, refused := define(p, s)
		if len(refused) > 0 {
			continue
		}
		at := d.layout.place(p.Name, name)
		have, err := d.programFor(at, def.Kind, def.Major)
		if err != nil {
			continue
		}
		if have.Kind != def.Kind || def.Major != 0 && have.major() != def.Major {
			warn(name, "%s %s of this host runs instead of %s", have.Kind, have.Version, s.Image)
		}
		if limited(s) {
			warn(name, "limits of memory and processors do not apply to native services")
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && (v.Target == "/data" || strings.HasPrefix(v.Target, "/var/lib/postgresql")) {
				warn(name, "its data are in %s, not in %s", at.data(), v.Source)
			}
		}
	}
	return out
}

func limited(s types.ServiceConfig) bool {
	deployed := s.Deploy != nil && s.Deploy.Resources.Limits != nil
	return deployed || s.MemLimit != 0 || s.CPUS != 0 || s.CPUQuota != 0
}
