package pilot

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

func TestCandidates(t *testing.T) {
	text := `nodejs:
  Installed: (none)
  Candidate: 18.20.4+dfsg-1~deb12u1
  Version table:
     18.20.4+dfsg-1~deb12u1 500
        500 http://packages.example/debian bookworm/main amd64 Packages
valkey-server:
  Installed: (none)
  Candidate: (none)
  Version table:
redis-server:
  Installed: 5:7.0.15-1
  Candidate: 5:7.0.15-1
`
	want := map[string]string{"nodejs": "18.20.4+dfsg-1~deb12u1", "redis-server": "5:7.0.15-1"}
	if diff := cmp.Diff(want, candidates(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnitFact(t *testing.T) {
	for text, want := range map[string]UnitFact{
		"": {},
		"ActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n":         {Active: "inactive"},
		"ActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=yes\n":   {Active: "active", Enabled: true, Reload: true},
		"ActiveState=failed\nUnitFileState=disabled\nNeedDaemonReload=no\n\n": {Active: "failed"},
	} {
		if got := unitFact(text); got != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestForbidden(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "acme")
	file := filepath.Join(dir, "ecosystem.yaml")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{top, filepath.Dir(top)} { // made for the user alone
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stranger, me := &Account{UID: 1 << 30, GID: 1 << 30}, &Account{UID: os.Getuid(), GID: os.Getgid()}
	for _, test := range []struct {
		name      string
		dir, file os.FileMode
		who       *Account
		want      string
	}{
		{"readable", 0o755, 0o644, stranger, ""},
		{"nobody yet", 0o755, 0o644, nil, ""},
		{"only mine", 0o700, 0o644, stranger, dir},
		{"only mine, for nobody yet", 0o700, 0o644, nil, dir},
		{"only the file", 0o755, 0o600, stranger, file},
		{"mine", 0o700, 0o600, me, ""},
		{"absent", 0o755, 0, stranger, filepath.Join(dir, "absent")},
	} {
		path := file
		if test.file == 0 {
			path = filepath.Join(dir, "absent")
		} else if err := os.Chmod(file, test.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, test.dir); err != nil {
			t.Fatal(err)
		}
		if got := forbidden(path, test.who); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestStopTime(t *testing.T) {
	app := func(name string, seconds int, on ...string) stack.App {
		a := stack.App{Name: name, KillTimeout: time.Duration(seconds) * time.Second}
		for _, name := range on {
			a.DependsOn = append(a.DependsOn, stack.Dependency{Name: name, Service: name == "redis"})
		}
		return a
	}
	for _, test := range []struct {
		apps []stack.App
		want time.Duration
	}{
		{nil, 0},
		{[]stack.App{app("a", 10, "redis"), app("b", 20)}, 20 * time.Second},
		{[]stack.App{app("c", 5, "b", "a"), app("b", 1, "a"), app("a", 10, "redis")}, 16 * time.Second},
	} {
		if got := StopTime(test.apps); got != test.want {
			t.Errorf("%v: %v, want %v", test.apps, got, test.want)
		}
	}
}

func TestOnlyTheWayToRegistriesIsPassedOn(t *testing.T) {
	environ := []string{"PATH=/x", "https_proxy=http://proxy:3128", "NO_PROXY=localhost", "API_KEY=secret", "NODE_OPTIONS=--inspect", "NODE_EXTRA_CA_CERTS=/ca.pem"}
	want := []string{"https_proxy=http://proxy:3128", "NO_PROXY=localhost", "NODE_EXTRA_CA_CERTS=/ca.pem"}
	if diff := cmp.Diff(want, network(environ)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
