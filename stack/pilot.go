package stack

import (
	"fmt"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// pilot is the profile of a server on which nobody watches: apps are restarted for ever, files may change under them,
// and containers are for this host alone.
const pilot = "pilot"

// loopback is where pilot publishes ports for which the Compose file names no address.
const loopback = "127.0.0.1"

// builtins are what a profile says before the file does; the file's own defaults win over them.
func builtins(profile string) settings {
	if profile != pilot {
		return nil
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "max_restarts"}
	unlimited := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "-1"}
	return settings{"max_restarts": {node: unlimited, key: key, origin: fromPilot}}
}

// refuseWatch takes back a watch that was meant for development: in pilot, files change by a deployment, which restarts by
// itself. Only the pilot overlay can mean it.
func (d *definition) refuseWatch() (warning string) {
	meant := []string{fromProfileDefaults, fromProfileApp}
	if !d.Watch.On || slices.Contains(meant, d.origins["watch"]) {
		return ""
	}
	d.Watch.On, d.Watch.Paths, d.origins["watch"] = false, nil, fromPilot
	return fmt.Sprintf("app %q: watch is ignored in the profile pilot; if it is meant there, write it into profiles.pilot.apps.%s", d.Name, d.Name)
}

// bindLoopback keeps ports that are published without an address on this host; an explicit 0.0.0.0 stays.
func bindLoopback(p *types.Project) {
	for name, service := range p.Services {
		service.Ports = slices.Clone(service.Ports)
		for i := range service.Ports {
			if service.Ports[i].HostIP == "" {
				service.Ports[i].HostIP = loopback
			}
		}
		p.Services[name] = service
	}
}
