package docker

import (
	"net/netip"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

// TestTranslate holds a service with much of what Redis and Postgres use against what docker compose tells the engine.
func TestTranslate(t *testing.T) {
	s := types.ServiceConfig{Name: "db", Restart: "on-failure:3"}
	s.Image, s.User, s.WorkingDir, s.Hostname, s.DomainName = "postgres:16", "70:70", "/w", "db", "example"
	s.Command, s.Entrypoint = types.ShellCommand{"postgres", "-c", "fsync=off"}, types.ShellCommand{"/entry"}
	s.Environment = types.MappingWithEquals{"B": ptr("2"), "A": ptr("1"), "BARE": nil}
	s.Ports = []types.ServicePortConfig{
		{Target: 5432, Published: "5433", Protocol: "tcp"}, {Target: 5432, Published: "6000-6010", Protocol: "tcp", HostIP: "127.0.0.1"},
	}
	s.Expose = types.StringOrNumberList{"9187"}
	s.Volumes = []types.ServiceVolumeConfig{
		{Type: "volume", Source: "data", Target: "/data"},
		{Type: "bind", Source: "/host", Target: "/initdb.d", ReadOnly: true, Bind: &types.ServiceVolumeBind{CreateHostPath: true, SELinux: "z"}},
		{Type: "bind", Source: "/must", Target: "/exist", Bind: &types.ServiceVolumeBind{}},
		{Type: "tmpfs", Target: "/tmp", Tmpfs: &types.ServiceVolumeTmpfs{Size: 1024}},
		{Type: "volume", Target: "/anonymous"},
	}
	s.Tmpfs = types.StringList{"/run:size=64k", "/scratch"}
	s.StopSignal, s.StopGracePeriod, s.Init = "SIGINT", ptr(types.Duration(90*time.Second)), ptr(true)
	s.HealthCheck = &types.HealthCheckConfig{Test: types.HealthCheckTest{"CMD-SHELL", "pg_isready"}, Interval: ptr(types.Duration(5 * time.Second)), Retries: ptr(uint64(5))}
	s.Ulimits = map[string]*types.UlimitsConfig{"nproc": {Single: 10}, "nofile": {Soft: 1, Hard: 2}}
	s.ShmSize, s.MemLimit, s.CPUS, s.PidsLimit = 64<<20, 1<<30, 0.5, 100
	s.Deploy = &types.DeployConfig{Resources: types.Resources{
		Limits:       &types.Resource{MemoryBytes: 2 << 30, NanoCPUs: 1.5},
		Reservations: &types.Resource{MemoryBytes: 1 << 20},
	}}
	s.CapAdd, s.CapDrop, s.ReadOnly, s.Sysctls = []string{"SYS_NICE"}, []string{"ALL"}, true, types.Mapping{"net.core.somaxconn": "511"}
	s.ExtraHosts = types.HostsList{"host": {"10.0.0.1"}}
	s.Logging = &types.LoggingConfig{Driver: "json-file", Options: types.Options{"max-size": "1m"}}
	s.SecurityOpt = []string{"no-new-privileges", "systempaths=unconfined"}
	p := &types.Project{Name: "p", Volumes: types.Volumes{"data": {Name: "p_data"}}}

	got, err := translateService(p, s)
	if err != nil {
		t.Fatal(err)
	}
	postgres, exporter := network.MustParsePort("5432/tcp"), network.MustParsePort("9187/tcp")
	want := spec{
		config: &container.Config{
			Hostname: "db", Domainname: "example", User: "70:70", WorkingDir: "/w", Image: "postgres:16",
			Cmd: []string{"postgres", "-c", "fsync=off"}, Entrypoint: []string{"/entry"}, Env: []string{"A=1", "B=2", "BARE"},
			AttachStdout: true, AttachStderr: true, ExposedPorts: network.PortSet{postgres: {}, exporter: {}},
			Healthcheck: &container.HealthConfig{Test: []string{"CMD-SHELL", "pg_isready"}, Interval: 5 * time.Second, Retries: 5},
			StopSignal:  "SIGINT", StopTimeout: ptr(90),
		},
		host: &container.HostConfig{
			Binds: []string{"p_data:/data:rw", "/host:/initdb.d:ro,z"},
			Mounts: []mount.Mount{
				{Type: "bind", Source: "/must", Target: "/exist", BindOptions: &mount.BindOptions{}},
				{Type: "tmpfs", Target: "/tmp", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1024}},
				{Type: "volume", Target: "/anonymous"},
			},
			Tmpfs:          map[string]string{"/run": "size=64k", "/scratch": ""},
			ReadonlyRootfs: true, ShmSize: 64 << 20, CapAdd: []string{"SYS_NICE"}, CapDrop: []string{"ALL"},
			SecurityOpt: []string{"no-new-privileges"}, MaskedPaths: []string{}, ReadonlyPaths: []string{},
			PortBindings: network.PortMap{postgres: {{HostPort: "5433"}, {HostIP: mustAddr("127.0.0.1"), HostPort: "6000-6010"}}},
			ExtraHosts:   []string{"host:10.0.0.1"}, Init: ptr(true), Sysctls: map[string]string{"net.core.somaxconn": "511"},
			RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 3},
			LogConfig:     container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m"}},
			Resources: container.Resources{
				Memory: 2 << 30, NanoCPUs: 1_500_000_000, MemoryReservation: 1 << 20, PidsLimit: ptr(int64(100)), OomKillDisable: ptr(false),
				Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 1, Hard: 2}, {Name: "nproc", Soft: 10, Hard: 10}},
			},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(spec{}, network.Port{}), cmpopts.EquateEmpty(), cmpopts.EquateComparable(network.Port{}, mustAddr("127.0.0.1"))); diff != "" {
		t.Errorf("the description differs (-want +got):\n%s", diff)
	}
}

func TestRestartPolicy(t *testing.T) {
	deploy := func(condition string, attempts *uint64) *types.DeployConfig {
		return &types.DeployConfig{RestartPolicy: &types.RestartPolicy{Condition: condition, MaxAttempts: attempts}}
	}
	for _, test := range []struct {
		restart string
		deploy  *types.DeployConfig
		want    container.RestartPolicy
	}{
		{"", nil, container.RestartPolicy{}},
		{"no", nil, container.RestartPolicy{Name: "no"}},
		{"unless-stopped", nil, container.RestartPolicy{Name: "unless-stopped"}},
		{"on-failure:2", nil, container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 2}},
		{"always", deploy("none", nil), container.RestartPolicy{Name: "no"}},
		{"no", deploy("any", nil), container.RestartPolicy{Name: "always"}},
		{"", deploy("on-failure", ptr(uint64(4))), container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 4}},
	} {
		if got := restartPolicy(types.ServiceConfig{Restart: test.restart, Deploy: test.deploy}); got != test.want {
			t.Errorf("restart %q, deploy %v: %+v, want %+v", test.restart, test.deploy, got, test.want)
		}
	}
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
