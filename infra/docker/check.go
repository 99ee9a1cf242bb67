package docker

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
)

// Check names every key of the enabled services, networks, configs and secrets that this driver would have to ignore, each in an
// *infra.Error, joined.
func (d *Driver) Check(p *types.Project) error {
	var found []refusal
	for name, s := range p.Services {
		for _, key := range refusedKeys(s) {
			found = append(found, refusal{name, key})
		}
		if _, err := translateService(p, s); err != nil {
			found = append(found, refusal{name, err.Error()})
		}
		for key := range s.Networks {
			if n := s.Networks[key]; n != nil && n.InterfaceName != "" && !d.api.atLeast(49) {
				found = append(found, refusal{name, "networks." + key + ".interface_name"})
			}
		}
	}
	for name, c := range p.Configs {
		if bool(c.External) || c.Driver != "" || c.TemplateDriver != "" {
			found = append(found, refusal{"", "configs." + name + " (external, driver or template_driver)"})
		}
	}
	for name, s := range p.Secrets {
		if bool(s.External) || s.Driver != "" || s.TemplateDriver != "" {
			found = append(found, refusal{"", "secrets." + name + " (external, driver or template_driver)"})
		}
	}
	slices.SortFunc(found, func(a, b refusal) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.key, b.key))
	})
	errs := make([]error, len(found))
	for i, r := range found {
		errs[i] = &infra.Error{
			Kind: infra.Unsupported, Service: r.service, Message: r.String(),
			Hint: "take these keys out of the Compose file, or leave the service out of `services` in ecosystem.yaml and start it with docker compose",
		}
	}
	return errors.Join(errs...)
}

// Warnings are none: a key that this driver cannot honour is refused by Check.
func (d *Driver) Warnings(*types.Project) []string { return nil }

type refusal struct{ service, key string }

func (r refusal) String() string {
	if r.service == "" {
		return "devstack does not support " + r.key
	}
	return fmt.Sprintf("service %s: devstack does not support %s", r.service, r.key)
}

// refusedKeys are the keys of a service that devstack does not do, in Compose's words.
func refusedKeys(s types.ServiceConfig) []string {
	var out []string
	refuse := func(key string, present bool) {
		if present {
			out = append(out, key)
		}
	}
	refuse("build (build it with docker compose build, and name it with image)", s.Build != nil)
	refuse("dockerfile", s.Dockerfile != "")
	refuse("blkio_config", s.BlkioConfig != nil)
	refuse("cpu_count", s.CPUCount != 0)
	refuse("cpu_percent", s.CPUPercent != 0)
	refuse("credential_spec", s.CredentialSpec != nil)
	refuse("external_links", len(s.ExternalLinks) > 0)
	refuse("gpus", len(s.Gpus) > 0)
	refuse("isolation", s.Isolation != "")
	refuse("links (services reach each other by name without them)", len(s.Links) > 0)
	refuse("log_driver (write logging)", s.LogDriver != "")
	refuse("log_opt (write logging)", len(s.LogOpt) > 0)
	refuse("mac_address", s.MacAddress != "")
	refuse("models", len(s.Models) > 0)
	refuse("net (write network_mode)", s.Net != "")
	refuse("platform", s.Platform != "")
	refuse("post_start", len(s.PostStart) > 0)
	refuse("pre_start", len(s.PreStart) > 0)
	refuse("pre_stop", len(s.PreStop) > 0)
	refuse("provider", s.Provider != nil)
	refuse("pull_refresh_after", s.PullRefreshAfter != "")
	refuse("pull_policy: build", s.PullPolicy == types.PullPolicyBuild)
	refuse("use_api_socket", s.UseAPISocket)
	refuse("volume_driver", s.VolumeDriver != "")
	refuse("volumes_from", len(s.VolumesFrom) > 0)
	refuse("scale (one container per service)", s.GetScale() != 1)
	for key, mode := range map[string]string{"network_mode": s.NetworkMode, "ipc": s.Ipc, "pid": s.Pid, "uts": s.Uts, "cgroup": s.Cgroup} {
		refuse(key+": "+mode, strings.HasPrefix(mode, types.ServicePrefix) || strings.HasPrefix(mode, types.ContainerPrefix))
	}
	for _, v := range s.Volumes {
		refuse("volumes of type "+v.Type, !slices.Contains([]string{types.VolumeTypeBind, types.VolumeTypeVolume, types.VolumeTypeTmpfs}, v.Type))
	}
	for key, n := range s.Networks {
		refuse("networks."+key+".mac_address", n != nil && n.MacAddress != "")
	}
	return append(out, refusedDeploy(s.Deploy)...)
}

// refusedDeploy are the keys below deploy that only a cluster has.
func refusedDeploy(deploy *types.DeployConfig) []string {
	if deploy == nil {
		return nil
	}
	var out []string
	refuse := func(key string, present bool) {
		if present {
			out = append(out, "deploy."+key)
		}
	}
	refuse("mode: "+deploy.Mode, deploy.Mode != "" && deploy.Mode != "replicated")
	refuse("labels", len(deploy.Labels) > 0)
	refuse("update_config", deploy.UpdateConfig != nil)
	refuse("rollback_config", deploy.RollbackConfig != nil)
	refuse("placement", !reflect.DeepEqual(deploy.Placement, types.Placement{}))
	refuse("endpoint_mode", deploy.EndpointMode != "")
	if r := deploy.RestartPolicy; r != nil {
		refuse("restart_policy.delay", r.Delay != nil)
		refuse("restart_policy.window", r.Window != nil)
	}
	for name, r := range map[string]*types.Resource{"limits": deploy.Resources.Limits, "reservations": deploy.Resources.Reservations} {
		if r != nil {
			refuse("resources."+name+".devices", len(r.Devices) > 0)
			refuse("resources."+name+".generic_resources", len(r.GenericResources) > 0)
		}
	}
	if r := deploy.Resources.Reservations; r != nil {
		refuse("resources.reservations.cpus", r.NanoCPUs != 0)
		refuse("resources.reservations.pids", r.Pids != 0)
	}
	return out
}
