package compose

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
)

// load is what docker compose makes of a file: compose-go's loader, with all of its checks.
func load(ctx context.Context, body []byte, environment types.Mapping) (*types.Project, error) {
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  "/nowhere",
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: body}},
		Environment: environment,
	}, loader.WithProfiles([]string{"*"}))
}

// fill is an environment that gives every variable of env.example its own name as the value.
func fill(example []byte) types.Mapping {
	out := types.Mapping{}
	for line := range strings.Lines(string(example)) {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(line, "# "), "=\n"); ok {
			out[name] = "value of " + name
		}
	}
	return out
}

// decoded is what a Compose file says of a workload, in the model's words. What is not here is in the report or has no
// meaning outside of it: the repository of an image that a variable names, the reason of a secret, the runtime, the name
// of a port, the wait of an edge, a schedule, a probe's kind; a heap is in NODE_OPTIONS, and Compose always stops first.
type decoded struct {
	Name, App string
	Kind      prod.Kind
	Image     string
	Command   []string
	WorkDir   string
	User      string
	Values    map[string]string
	Ports     []string
	Probe     []string
	Times     [4]time.Duration
	Retries   int
	Stop      prod.Stop
	Memory    [2]int64
	CPUMillis int
	Replicas  int
	Restart   prod.Restart
	Edges     map[string]string
	Logs      prod.Logs
}

func fromModel(m prod.Model, w prod.Workload) decoded {
	d := decoded{
		Name: w.Name, App: w.App, Kind: w.Kind, Image: w.Image.Reference, Command: w.Command, WorkDir: w.WorkDir,
		User: strconv.Itoa(w.User) + ":" + strconv.Itoa(w.User), Values: map[string]string{}, Probe: w.ProbeArgv(), Stop: w.Stop,
		Memory: [2]int64{w.Memory.Limit, w.Memory.Reservation}, CPUMillis: w.CPUMillis, Replicas: w.Replicas,
		Restart: w.Restart, Edges: map[string]string{}, Logs: w.Logs,
	}
	if d.Image == "" {
		d.Image = "value of " + w.Image.Variable
	}
	for _, v := range w.Config {
		d.Values[v.Name] = v.Value
	}
	for _, s := range w.Secrets {
		d.Values[s.Name] = "value of " + s.Name
	}
	for _, p := range w.Ports {
		d.Ports = append(d.Ports, strconv.Itoa(p.Number))
	}
	if d.Probe != nil {
		d.Times, d.Retries = [4]time.Duration{w.Probe.Interval, w.Probe.Timeout, w.Probe.StartPeriod}, w.Probe.Retries
	}
	for _, e := range w.Edges {
		if !e.Backing || slices.ContainsFunc(m.Backing, func(b prod.Backing) bool { return b.Name == e.Name && b.Container != nil }) {
			d.Edges[e.Name] = string(e.Condition)
		}
	}
	return d
}

func fromFile(s types.ServiceConfig) decoded {
	size, _ := strconv.ParseInt(s.Logging.Options["max-size"], 10, 64)
	files, _ := strconv.Atoi(s.Logging.Options["max-file"])
	d := decoded{
		Name: s.Name, App: s.Labels["devstack.app"], Kind: prod.Kind(s.Labels["devstack.kind"]), Image: s.Image, Command: s.Entrypoint,
		WorkDir: s.WorkingDir, User: s.User, Values: map[string]string{}, Ports: s.Expose,
		Stop:     prod.Stop{Signal: s.StopSignal, Grace: time.Duration(*s.StopGracePeriod)},
		Memory:   [2]int64{int64(s.Deploy.Resources.Limits.MemoryBytes), int64(s.Deploy.Resources.Reservations.MemoryBytes)},
		Replicas: s.GetScale(), CPUMillis: int(s.CPUShares) * 1000 / 1024,
		Edges: map[string]string{}, Logs: prod.Logs{MaxSize: size, MaxFiles: files},
		Restart: map[string]prod.Restart{"unless-stopped": prod.Always, "on-failure": prod.OnFailure, "no": prod.Never}[s.Restart],
	}
	for name, value := range s.Environment {
		d.Values[name] = *value
	}
	if h := s.HealthCheck; h != nil {
		d.Probe, d.Retries = h.Test[1:], int(*h.Retries)
		d.Times = [4]time.Duration{time.Duration(*h.Interval), time.Duration(*h.Timeout)}
		if h.StartPeriod != nil {
			d.Times[2] = time.Duration(*h.StartPeriod)
		}
	}
	for name, dependency := range s.DependsOn {
		d.Edges[name] = dependency.Condition
	}
	return d
}

// What the file says is what the model says; where it is not, there is an entry.
func TestDecodeEqualsTheModel(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, _ := c.model(t)
			files, entries := render(t, m, c.options)
			project, err := load(t.Context(), files[0].Data, fill(files[1].Data))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range m.Workloads {
				want, got := fromModel(m, w), fromFile(project.Services[w.Name])
				explainEdges(t, entries, w, &want, got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: -model +file:\n%s", w.Name, diff)
				}
				hardened(t, project.Services[w.Name])
			}
			for _, b := range m.Backing {
				if _, there := project.Services[b.Name]; there != (b.Container != nil) {
					t.Errorf("%s is in the file: %v", b.Name, there)
				}
			}
		})
	}
}

// explainEdges takes away the edges that differ and have an entry that says so.
func explainEdges(t *testing.T, entries []prod.Entry, w prod.Workload, want *decoded, got decoded) {
	t.Helper()
	r := renderer{}
	for name, c := range want.Edges {
		if got.Edges[name] == c {
			continue
		}
		explained := slices.ContainsFunc(entries, func(e prod.Entry) bool {
			return e.Subject == prod.AppSubject(w.App) && e.Verdict != prod.IsMapped && e.Key == "depends_on."+r.Model.AppOf(prod.Edge{Name: name})
		})
		if !explained {
			t.Errorf("%s: the edge to %s is not %s and no entry says so", w.Name, name, c)
		}
		delete(want.Edges, name)
		delete(got.Edges, name)
	}
}

func hardened(t *testing.T, s types.ServiceConfig) {
	t.Helper()
	switch {
	case !s.ReadOnly, s.Init == nil || !*s.Init, len(s.Tmpfs) != 1, s.User == "0:0", s.Build != nil, len(s.Volumes) != 0,
		!slices.Equal(s.CapDrop, []string{"ALL"}), len(s.CapAdd) != 0, s.Privileged,
		!slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}),
		s.Deploy.Resources.Limits.Pids == 0, int64(s.MemSwapLimit) != int64(s.Deploy.Resources.Limits.MemoryBytes):
		t.Errorf("%s is not hardened: %+v", s.Name, s)
	}
}

func TestContainersKeepWhatTheyWere(t *testing.T) {
	m, _ := cases[1].model(t)
	files, _ := render(t, m, cases[1].options)
	project, err := load(t.Context(), files[0].Data, fill(files[1].Data))
	if err != nil {
		t.Fatal(err)
	}
	postgres := project.Services["postgres"]
	price, password := postgres.Environment["PRICE"], postgres.Environment["POSTGRES_PASSWORD"]
	if *price != "5$" || *password != "value of POSTGRES_PASSWORD" || postgres.Image != "value of POSTGRES_IMAGE" {
		t.Errorf("PRICE=%q POSTGRES_PASSWORD=%q image=%q", *price, *password, postgres.Image)
	}
	if len(postgres.Volumes) != 1 || postgres.Volumes[0].Source != "postgres-data" || postgres.Volumes[0].Target != "/var/lib/postgresql/data" ||
		len(project.Volumes) != 2 || len(postgres.Ports) != 0 || postgres.StopSignal != "SIGINT" || time.Duration(*postgres.StopGracePeriod) != time.Minute {
		t.Errorf("postgres is %+v", postgres)
	}
	if redis := project.Services["redis"]; int64(redis.Deploy.Resources.Limits.MemoryBytes) != 256<<20 || !strings.Contains(redis.Image, "@sha256:") || len(redis.Command) != 4-1 {
		t.Errorf("redis is %+v", redis)
	}
}
