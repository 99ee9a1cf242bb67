package pilot

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wanted is a stack with both services, on Docker.
func wanted() Wanted {
	return Wanted{
		Unit: sample(), From: "/opt/acme/bin", Owner: "root", Images: []string{"redis:7-alpine", "docker.io/library/postgres:16"},
		Required: []string{"API_KEY"}, Node: 20,
	}
}

// fresh is a Debian on which nothing has been done.
func fresh() Facts {
	return Facts{
		Systemd: true, Apt: true, Lists: true,
		Packages: map[string]string{
			"nodejs": "20.19.2+dfsg-1", "docker.io": "26.1.5", "docker-cli": "26.1.5", "iptables": "1.8", "ca-certificates": "2025",
			"redis-server": "5:8.0", "postgresql": "17",
		},
	}
}

// finished is what Observe sees after a bootstrap.
func finished(t *testing.T, w Wanted) Facts {
	t.Helper()
	f := fresh()
	f.Node, f.Engine, f.Redis, f.Postgres, f.Same = "v20.19.2", true, true, true, true
	f.User = &Account{UID: 999, GID: 998, Home: Home}
	mine := Dir{UID: 999, Mode: 0o750}
	f.Dirs = map[string]Dir{Home: mine, "/opt/acme/scripts/logs": mine}
	f.Files = map[string]string{journald: "", daemonJSON: "", EnvFile("acme"): ""}
	files, err := Units(w.Unit)
	if err != nil {
		t.Fatal(err)
	}
	f.Units = map[string]UnitFact{}
	for i, file := range files {
		f.Files[file.Path] = file.Text
		f.Units[w.Names()[i]] = UnitFact{Enabled: true, Active: "active"}
	}
	return f
}

// show is a plan as a person reads it: what is done, and what is in the way.
func show(steps []Step) string {
	var out strings.Builder
	for _, s := range steps {
		if s.Problem != nil {
			fmt.Fprintf(&out, "%s: ! %s (%s)\n", s.Name, s.Problem.Message, s.Problem.Fix)
		}
		if s.Pending() != (s.Do != "") && s.Problem == nil {
			fmt.Fprintf(&out, "%s: says %q and does %v\n", s.Name, s.Do, s.Actions)
		}
		if s.Problem == nil && s.Pending() {
			fmt.Fprintf(&out, "%s: %s -> %s\n", s.Name, s.Found, s.Do)
			for _, a := range s.Actions {
				fmt.Fprintf(&out, "  %s\n", a)
			}
		}
	}
	return out.String()
}

func TestBootstrapOfAFreshMachine(t *testing.T) {
	native := wanted()
	native.Driver = Native
	unbuilt := wanted()
	unbuilt.Build = &Build{Command: []string{"/bin/sh", "-c", "npm ci"}, Dir: "/opt/acme", Missing: []string{"dist/server.js"}}
	unbuilt.Missing = []string{"API_KEY"}
	listless := fresh()
	listless.Lists, listless.Packages = false, nil
	for name, test := range map[string]struct {
		w Wanted
		f Facts
	}{"docker": {wanted(), fresh()}, "native": {native, fresh()}, "unbuilt": {unbuilt, fresh()}, "no-lists": {wanted(), listless}} {
		t.Run(name, func(t *testing.T) {
			golden(t, "fresh-"+name+".txt", show(Bootstrap(test.w, test.f)))
		})
	}
}

func TestASecondTimeNothingIsDone(t *testing.T) {
	for _, driver := range []string{Docker, Native, None} {
		w := wanted()
		w.Driver = driver
		f := finished(t, w)
		for name, steps := range map[string][]Step{"bootstrap": Bootstrap(w, f), "startup": Startup(w, f)} {
			if got := show(steps); got != "" {
				t.Errorf("%s, %s:\n%s", name, driver, got)
			}
		}
	}
}

// Each case takes one thing from a finished machine, or changes what is wanted of it.
func TestOneThingIsMissing(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *Wanted, f *Facts)
		want   []string // parts of the plan, which has as many lines
	}{
		{"no systemd", func(_ *Wanted, f *Facts) { f.Systemd = false }, []string{"systemd: ! systemd does not run this machine"}},
		{"old Node.js", func(_ *Wanted, f *Facts) { f.Node = "v18.20.4" }, []string{"! the project needs Node.js 20 or newer, and this machine has v18.20.4"}},
		{
			"Debian's is old", func(_ *Wanted, f *Facts) { f.Node, f.Packages = "", map[string]string{"nodejs": "18.20.4+dfsg-1"} },
			[]string{"! the project needs Node.js 20 or newer, and the distribution has 18.20.4+dfsg-1"},
		},
		{"no apt", func(_ *Wanted, f *Facts) { f.Node, f.Apt, f.Packages = "", false, nil }, []string{"or newer, and none is installed"}},
		{"no package", func(_ *Wanted, f *Facts) { f.Engine, f.Packages = false, nil }, []string{"! apt-get has no package docker.io"}},
		{"a stranger's home", func(_ *Wanted, f *Facts) { f.Forbidden = "/root" }, []string{"! devstack may not read /root"}},
		{
			"no such user", func(w *Wanted, f *Facts) { w.User, f.User = "ada", nil; f.Units = nil },
			[]string{"there is no user ada", "directories: ", "install -d -o ada", "install -d -o ada", "units: ", "write", "daemon-reload", "enable", "start: ", "systemctl start"},
		},
		{
			"logs of root", func(_ *Wanted, f *Facts) { f.Dirs["/opt/acme/scripts/logs"] = Dir{UID: 0, Mode: 0o755} },
			[]string{"directories: /var/lib/devstack -> make them devstack's: /opt/acme/scripts/logs", "install -d -o devstack -g 998 -m 0750 /opt/acme/scripts/logs"},
		},
		{
			"new executables", func(_ *Wanted, f *Facts) { f.Same = false },
			[]string{"executables: ", "copy /opt/acme/bin/devstackd", "copy /opt/acme/bin/devstack to", "runuser -u devstack -- /usr/local/bin/devstack -C /opt/acme daemon restart"},
		},
		{
			"an old unit", func(_ *Wanted, f *Facts) { f.Files[unitDir+"/acme.service"] = "old" },
			[]string{"units: acme-infra.service, acme.service -> write acme.service, have systemd read its files, (what runs", "write /etc/systemd/system/acme.service", "daemon-reload"},
		},
		{
			"not reloaded", func(_ *Wanted, f *Facts) {
				f.Units["acme.service"] = UnitFact{Enabled: true, Active: "active", Reload: true}
			},
			[]string{"have systemd read its files", "systemctl daemon-reload"},
		},
		{"no values", func(w *Wanted, f *Facts) {
			w.Missing = []string{"API_KEY"}
			f.Units["acme.service"] = UnitFact{Enabled: true, Active: "inactive"}
		}, []string{"start: ! nothing sets API_KEY (write the values into /etc/devstack/acme.env"}},
		{
			"given up", func(_ *Wanted, f *Facts) { f.Units["acme.service"] = UnitFact{Enabled: true, Active: "failed"} },
			[]string{"start: does not run -> start acme.service", "systemctl reset-failed acme.service", "systemctl start acme.service"},
		},
		{"nothing builds", func(w *Wanted, _ *Facts) { w.Build = &Build{Missing: []string{"dist/a.js"}} }, []string{"build: ! missing: dist/a.js"}},
		{"somebody's project", func(w *Wanted, _ *Facts) {
			w.Owner, w.Build = "ada", &Build{Command: []string{"make"}, Dir: "/opt/acme", Missing: []string{"a"}}
		}, []string{"build: missing: a -> build as ada: make", "runuser -u ada -- make"}},
		{"mysql, natively", func(w *Wanted, f *Facts) {
			w.Driver, w.Images = Native, []string{"mysql:9"}
			delete(f.Files, unitDir+"/acme.service")
			delete(f.Files, unitDir+"/acme-infra.service")
			f.Units = nil
		}, []string{"services: ! only Docker runs mysql:9", "units: ", "write", "daemon-reload", "enable", "start: ", "start"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := wanted()
			f := finished(t, w)
			test.change(&w, &f)
			got := strings.Split(strings.TrimSpace(show(Bootstrap(w, f))), "\n")
			if len(got) != len(test.want) {
				t.Fatalf("got\n%s", strings.Join(got, "\n"))
			}
			for i, line := range got {
				if !strings.Contains(line, test.want[i]) {
					t.Errorf("line %d is %q, without %q", i, line, test.want[i])
				}
			}
		})
	}
}

// With native services, the containers' unit of before would keep its containers, and their ports.
func TestFromDockerToNative(t *testing.T) {
	w := wanted()
	f := finished(t, w)
	w.Driver = Native
	got := show(Startup(w, f))
	for _, want := range []string{"disable --now acme-infra.service", "remove /etc/systemd/system/acme-infra.service", "write /etc/systemd/system/acme.service"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestUnstartup(t *testing.T) {
	w := wanted()
	f := finished(t, w)
	want := `units: acme-infra.service, acme.service -> disable and remove them; what runs goes on
  systemctl disable acme-infra.service
  remove /etc/systemd/system/acme-infra.service
  systemctl disable acme.service
  remove /etc/systemd/system/acme.service
  systemctl daemon-reload
`
	if got := show(Unstartup(w.Unit, f)); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := show(Unstartup(w.Unit, fresh())); got != "" {
		t.Errorf("a second time:\n%s", got)
	}
}

func TestDriver(t *testing.T) {
	both := []string{"redis:7", "postgres"}
	for _, test := range []struct {
		asked, last string
		images      []string
		engine      bool
		want        string
	}{
		{"auto", "", nil, true, None},
		{"docker", "", nil, true, None},
		{"docker", "native", both, false, Docker},
		{"native", "docker", both, true, Native},
		{"auto", "native", both, true, Native},
		{"auto", "docker", both, false, Docker},
		{"auto", "podman", both, true, Docker},
		{"auto", "", both, true, Docker},
		{"auto", "", both, false, Native},
		{"auto", "", []string{"valkey/valkey:8", "registry.example.com:5000/postgres@sha256:0"}, false, Native},
		{"auto", "", append(slices.Clone(both), "minio/minio"), false, Docker},
		{"auto", "", []string{"pgvector/pgvector:pg16"}, false, Docker},
		{"auto", "", []string{"acme/postgres:16"}, false, Docker}, // somebody's own image: the host's server lacks what it adds
	} {
		if got := Driver(test.asked, test.last, test.images, test.engine); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}
