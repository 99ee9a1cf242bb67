package pilot_test

import (
	"bytes"
	"testing"
	"time"

	"devstack/profiles/pilot"
)

// A machine boots, and systemd has nothing to say against the units but what they want to be told of: no unknown key, no
// program that is missing, and little that a program could do to the machine (2.0 of 10).
func TestUnits(t *testing.T) {
	t.Parallel()
	m := newVM(t)
	if state := m.run("systemctl is-system-running"); state != "running" {
		t.Fatalf("the machine is %s:\n%s", state, m.run("systemctl --failed"))
	}
	m.withExecutables(first, "/usr/local/bin")
	m.run("useradd --system --user-group --home-dir %s %s && mkdir %s", pilot.Home, pilot.User, at)
	// The containers' unit names the engine's, which is not installed here.
	m.write("/etc/systemd/system/docker.service", "[Service]\nExecStart=/bin/true\n")
	for _, driver := range []string{pilot.Docker, pilot.Native, pilot.None} {
		files, err := pilot.Units(pilot.Unit{
			Project: "pilot-" + driver, File: at + "/ecosystem.yaml", User: pilot.User, Home: pilot.Home, Driver: driver, Systemd: 252,
			Devstack: "/usr/local/bin/devstack", Devstackd: "/usr/local/bin/devstackd",
			Writable: []string{at + "/scripts/logs"}, Stop: 10 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			m.write(f.Path, f.Text)
		}
		for _, f := range files {
			if out, err := m.try("systemd-analyze verify --recursive-errors=no " + f.Path + " 2>&1"); err != nil || out != "" {
				t.Errorf("%s: %v\n%s", f.Path, err, out)
			}
			if out, err := m.try("systemd-analyze security --offline=true --threshold=20 --no-pager " + f.Path + " 2>&1"); err != nil {
				t.Errorf("%s is exposed by more than 2.0: %v\n%s", f.Path, err, out)
			}
		}
	}
}

// Packages that make installs for native services start no server of their own, now or at the next boot, and what make
// installs them with is as it was before. A second time there is nothing to do.
func TestNativePackages(t *testing.T) {
	t.Parallel()
	m := newVM(t)
	data, err := archive(repository, "scripts/native", "scripts/lib.sh")
	if err != nil {
		t.Fatal(err)
	}
	m.unpack(bytes.NewReader(data), "/srv")
	m.run("/srv/scripts/native")
	nothing := func() {
		t.Helper()
		if out, _ := m.try("pgrep -a 'redis|valkey|postgres'"); out != "" {
			t.Errorf("servers run that nobody asked for:\n%s", out)
		}
	}
	nothing()
	m.run("test ! -e /usr/sbin/policy-rc.d")
	if out := m.run("/srv/scripts/native 2>&1"); out != "" {
		t.Errorf("the second time it says %q", out)
	}
	m.shutDown()
	m.start()
	nothing()
}
