package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"devstack/infra"
)

// spec is one container as the engine wants it described, without labels and networks.
type spec struct {
	config *container.Config
	host   *container.HostConfig
	files  []file // to copy in before the start
}

// translateService describes a service as docker compose does. What it does not read, Check has refused.
func translateService(p *types.Project, s types.ServiceConfig) (spec, error) {
	ports, bindings, err := translatePorts(s)
	if err != nil {
		return spec{}, err
	}
	health, err := translateHealthcheck(s.HealthCheck)
	if err != nil {
		return spec{}, err
	}
	security, unconfined, err := securityOptions(p, s.SecurityOpt)
	if err != nil {
		return spec{}, err
	}
	var dns []netip.Addr
	for _, d := range s.DNS {
		a, err := netip.ParseAddr(d)
		if err != nil {
			return spec{}, fmt.Errorf("dns: %w", err)
		}
		dns = append(dns, a)
	}
	v, err := translateVolumes(p, s)
	if err != nil {
		return spec{}, err
	}
	out := spec{files: v.files}
	out.config = &container.Config{
		Hostname: s.Hostname, Domainname: s.DomainName, User: s.User, WorkingDir: s.WorkingDir,
		Image: infra.ImageName(p.Name, s), Cmd: s.Command, Entrypoint: s.Entrypoint, Env: environment(s.Environment),
		Tty: s.Tty, OpenStdin: s.StdinOpen, AttachStdout: true, AttachStderr: true,
		ExposedPorts: ports, Healthcheck: health, StopSignal: s.StopSignal,
	}
	if s.StopGracePeriod != nil {
		seconds := int(time.Duration(*s.StopGracePeriod).Seconds())
		out.config.StopTimeout = &seconds
	}
	out.host = &container.HostConfig{
		Binds: v.binds, Mounts: v.mounts, Tmpfs: v.tmpfs, ReadonlyRootfs: s.ReadOnly, ShmSize: int64(s.ShmSize), StorageOpt: s.StorageOpt,
		CapAdd: s.CapAdd, CapDrop: s.CapDrop, Privileged: s.Privileged, SecurityOpt: security, GroupAdd: s.GroupAdd,
		UsernsMode: container.UsernsMode(s.UserNSMode), IpcMode: container.IpcMode(s.Ipc), PidMode: container.PidMode(s.Pid),
		UTSMode: container.UTSMode(s.Uts), CgroupnsMode: container.CgroupnsMode(s.Cgroup),
		NetworkMode: container.NetworkMode(s.NetworkMode), PortBindings: bindings,
		DNS: dns, DNSSearch: s.DNSSearch, DNSOptions: s.DNSOpts, ExtraHosts: s.ExtraHosts.AsList(":"),
		Init: s.Init, RestartPolicy: restartPolicy(s), OomScoreAdj: int(s.OomScoreAdj), Sysctls: s.Sysctls,
		Runtime: s.Runtime, Annotations: s.Annotations, Resources: resources(s),
	}
	if s.Logging != nil {
		out.host.LogConfig = container.LogConfig{Type: s.Logging.Driver, Config: s.Logging.Options}
	}
	if unconfined {
		out.host.MaskedPaths, out.host.ReadonlyPaths = []string{}, []string{}
	}
	return out, nil
}

// environment has a bare KEY for a variable without a value, sorted.
func environment(m types.MappingWithEquals) []string {
	var out []string
	for key, value := range m {
		if value == nil {
			out = append(out, key)
		} else {
			out = append(out, key+"="+*value)
		}
	}
	slices.Sort(out)
	return out
}

func translatePorts(s types.ServiceConfig) (network.PortSet, network.PortMap, error) {
	exposed, bindings := network.PortSet{}, network.PortMap{}
	for _, p := range s.Ports {
		port, err := network.ParsePort(fmt.Sprintf("%d/%s", p.Target, p.Protocol))
		if err != nil {
			return nil, nil, fmt.Errorf("ports: %w", err)
		}
		var host netip.Addr
		if p.HostIP != "" {
			if host, err = netip.ParseAddr(p.HostIP); err != nil {
				return nil, nil, fmt.Errorf("ports: %w", err)
			}
		}
		exposed[port] = struct{}{}
		bindings[port] = append(bindings[port], network.PortBinding{HostIP: host, HostPort: p.Published})
	}
	for _, e := range s.Expose {
		r, err := network.ParsePortRange(e)
		if err != nil {
			return nil, nil, fmt.Errorf("expose: %w", err)
		}
		for port := range r.All() {
			exposed[port] = struct{}{}
		}
	}
	return exposed, bindings, nil
}

func translateHealthcheck(h *types.HealthCheckConfig) (*container.HealthConfig, error) {
	if h == nil {
		return nil, nil
	}
	if h.Disable {
		return &container.HealthConfig{Test: []string{"NONE"}}, nil
	}
	if h.StartInterval != nil && h.StartPeriod == nil {
		return nil, fmt.Errorf("healthcheck.start_interval needs healthcheck.start_period")
	}
	out := &container.HealthConfig{
		Test: h.Test, Interval: duration(h.Interval), Timeout: duration(h.Timeout),
		StartPeriod: duration(h.StartPeriod), StartInterval: duration(h.StartInterval),
	}
	if h.Retries != nil {
		out.Retries = int(*h.Retries)
	}
	return out, nil
}

func duration(d *types.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// restartPolicy reads `restart`, which deploy.restart_policy overrides.
func restartPolicy(s types.ServiceConfig) container.RestartPolicy {
	name, count, _ := strings.Cut(s.Restart, ":")
	attempts, _ := strconv.Atoi(count)
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		name, attempts = s.Deploy.RestartPolicy.Condition, 0
		if n := s.Deploy.RestartPolicy.MaxAttempts; n != nil {
			attempts = int(*n)
		}
	}
	switch name {
	case "none":
		name = "no"
	case "any":
		name = "always"
	}
	return container.RestartPolicy{Name: container.RestartPolicyMode(name), MaximumRetryCount: attempts}
}

// resources reads the service's limits, which deploy.resources overrides.
func resources(s types.ServiceConfig) container.Resources {
	oomKillDisable := s.OomKillDisable
	out := container.Resources{
		CgroupParent: s.CgroupParent, Memory: int64(s.MemLimit), MemorySwap: int64(s.MemSwapLimit), MemoryReservation: int64(s.MemReservation),
		OomKillDisable: &oomKillDisable, CPUPeriod: s.CPUPeriod, CPUQuota: s.CPUQuota, CPURealtimePeriod: s.CPURTPeriod, CPURealtimeRuntime: s.CPURTRuntime,
		CPUShares: s.CPUShares, NanoCPUs: int64(s.CPUS * 1e9), CpusetCpus: s.CPUSet, DeviceCgroupRules: s.DeviceCgroupRules,
	}
	if s.MemSwappiness != 0 {
		n := int64(s.MemSwappiness)
		out.MemorySwappiness = &n
	}
	pids := s.PidsLimit
	if s.Deploy != nil {
		if l := s.Deploy.Resources.Limits; l != nil {
			out.Memory = override(out.Memory, int64(l.MemoryBytes))
			out.NanoCPUs = override(out.NanoCPUs, int64(l.NanoCPUs*1e9))
			pids = override(pids, l.Pids)
		}
		if r := s.Deploy.Resources.Reservations; r != nil {
			out.MemoryReservation = override(out.MemoryReservation, int64(r.MemoryBytes))
		}
	}
	if pids != 0 {
		out.PidsLimit = &pids
	}
	for _, device := range s.Devices {
		out.Devices = append(out.Devices, container.DeviceMapping{PathOnHost: device.Source, PathInContainer: device.Target, CgroupPermissions: device.Permissions})
	}
	names := make([]string, 0, len(s.Ulimits))
	for name := range s.Ulimits {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		u := s.Ulimits[name]
		soft, hard := u.Soft, u.Hard
		if u.Single != 0 {
			soft, hard = override(u.Single, u.Soft), override(u.Single, u.Hard)
		}
		out.Ulimits = append(out.Ulimits, &container.Ulimit{Name: name, Soft: int64(soft), Hard: int64(hard)})
	}
	return out
}

// override is b unless it is zero.
func override[T comparable](a, b T) T {
	var zero T
	if b == zero {
		return a
	}
	return b
}
