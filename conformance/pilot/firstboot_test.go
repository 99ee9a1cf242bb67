package pilot_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devstack/profiles/pilot"
)

// A new machine that knows nothing but its cloud-config becomes the pilot by itself: its own cloud-init fetches the project
// and the executables, and bootstrap does the rest. One value is missing, so the start waits for a person.
func TestFirstBoot(t *testing.T) {
	t.Parallel()
	m := newVM(t)
	release, err := first()
	if err != nil {
		t.Fatal(err)
	}
	sample, err := project()
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{"/srv/devstack.tar": release, "/srv/acme.tar": sample} {
		if _, err := docker(t.Context(), bytes.NewReader(data), "exec", "-i", m.name, "sh", "-c", "cat >"+path); err != nil {
			t.Fatal(err)
		}
	}
	m.run("mkdir -p /var/lib/cloud/seed/nocloud && rm /etc/cloud/cloud-init.disabled")
	m.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: first\n")
	m.write("/var/lib/cloud/seed/nocloud/user-data", cloudConfig(t, "--infra", "native", "--source", "/srv/acme.tar", "--executables", "/srv/devstack.tar"))
	m.run("cloud-init schema -c /var/lib/cloud/seed/nocloud/user-data")
	m.shutDown()
	m.start()
	waitFor(t, "the end of cloud-init", func() error {
		if _, err := m.try("test -e /run/cloud-init/result.json"); err != nil {
			return errors.New("it still runs")
		}
		return nil
	})
	said := m.run("cat /var/log/cloud-init-output.log")
	if !strings.Contains(said, "nothing sets DATABASE_URL, REDIS_URL, ANTHROPIC_API_KEY") {
		t.Fatalf("bootstrap does not end with the values that are missing:\n%s", said)
	}
	m.write("/root/values", "DATABASE_URL=postgresql://agentic:agentic_dev@localhost:5433/agentic_sdlc\nREDIS_URL=redis://localhost:6380\nANTHROPIC_API_KEY='not a key'\n")
	m.run("cat /root/values >>/etc/devstack/agentic-sdlc.env && devstack -C %s bootstrap", at)
	m.run("systemctl is-active agentic-sdlc")
	m.run("devstack -C %s bootstrap --check", at)
}

// cloudConfig is what devstack prints of the sample.
func cloudConfig(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(built, "v1", "devstack"), append([]string{"-C", repository, "bootstrap", "--cloud-init"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // and no HOME
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return stdout.String()
}

// What systemd makes of words and paths that mean something to it is what was meant: a program in place of devstack writes
// down its arguments, and where it may write.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	m := newVM(t)
	dir := `/srv/it's 100% "$HOME"\n;%n`
	program := "/srv/a $b 100%n/devstack" // quotes and backslashes are not for programs
	m.run("useradd --system --user-group --home-dir %s %s && mkdir -p %s %s && chown devstack: %s", pilot.Home, pilot.User,
		shell(filepath.Dir(program)), shell(dir+"/logs"), shell(dir+"/logs"))
	m.run("cat >%s <<'END'\n%s\nEND\nchmod 755 %s", shell(program), "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$2/logs/arguments\"\ntouch \"$2/elsewhere\" 2>/dev/null || echo hardened >>\"$2/logs/arguments\"", shell(program))
	files, err := pilot.Units(pilot.Unit{
		Project: "hostile", Named: true, File: dir + "/stack.yaml", User: pilot.User, Home: pilot.Home, Driver: pilot.None, Systemd: 252,
		Devstack: program, Devstackd: program, Writable: []string{dir + "/logs"},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.write(files[0].Path, files[0].Text)
	m.run("systemctl daemon-reload; systemctl start --no-block hostile.service")
	want := strings.Join([]string{"-C", dir, "-f", "stack.yaml", "-p", "hostile", "resurrect", "--foreground", "hardened"}, "\n")
	waitFor(t, "the program's arguments", func() error {
		got, err := m.try("cat " + shell(dir+"/logs/arguments"))
		if err != nil || got != want {
			return fmt.Errorf("it got\n%s\n%w", got, errors.Join(err, errors.New("not yet")))
		}
		return nil
	})
}

// shell is a word as the shell reads it.
func shell(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
