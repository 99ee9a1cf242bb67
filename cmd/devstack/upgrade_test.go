package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"devstack/bench/load"
)

// The two versions that replace each other. They differ in nothing else.
const oldVersion, newVersion = "v1.0.0-upgrade", "v2.0.0-upgrade"

// version builds devstack and devstackd as a version that is installed in a directory of its own, once per test run.
func version(t *testing.T, name string) (dir string) {
	t.Helper()
	var err error
	switch name {
	case oldVersion:
		dir, err = buildOld()
	case newVersion:
		dir, err = buildNew()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	buildOld = sync.OnceValues(func() (string, error) { return buildVersion(oldVersion) })
	buildNew = sync.OnceValues(func() (string, error) { return buildVersion(newVersion) })
)

func buildVersion(name string) (string, error) {
	dir := filepath.Join(binariesDir(), name)
	build := exec.Command("go", "build", "-ldflags", "-X devstack/daemon/api.linked="+name, "-o", dir+"/", "./cmd/devstack", "./cmd/devstackd")
	build.Dir = repository
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build %s: %w\n%s", name, err, output)
	}
	return dir, nil
}

// runVersion runs the devstack of a version.
func (p *project) runVersion(name string, args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithDeadline(context.Background(), deadline(p.t))
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(version(p.t, name), "devstack"), args...)
	cmd.Dir, cmd.Env = p.dir, p.environment()
	return execute(p.t, cmd)
}

// upgradeTo replaces keeper and daemon by a version and checks who runs then.
func (p *project) upgradeTo(name string) {
	p.t.Helper()
	before, keepers := p.ps(), p.keepers()
	r := p.runVersion(name, "daemon", "restart")
	if r.code != 0 || strings.Count(r.stdout, "\n") != 1 {
		p.t.Fatal(r)
	}
	after, now := p.ps(), p.keepers()
	if after.Daemon.Version != name || after.Daemon.Pid == before.Daemon.Pid {
		p.t.Errorf("the daemon was %+v and is %+v", before.Daemon, after.Daemon)
	}
	if len(keepers) != 1 || len(now) != 1 || keepers[0].pid != now[0].pid {
		p.t.Fatalf("the keeper was %+v and is %+v", keepers, now)
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", now[0].pid))
	if err != nil || exe != filepath.Join(version(p.t, name), "devstack") {
		p.t.Errorf("the keeper executes %s, %v", exe, err)
	}
	for _, part := range []string{before.Daemon.Version, name, fmt.Sprint(before.Daemon.Pid), fmt.Sprint(after.Daemon.Pid), fmt.Sprint(now[0].pid), exe} {
		if !strings.Contains(r.stdout, part) {
			p.t.Errorf("%q does not say %q", r.stdout, part)
		}
	}
}

// counting is an app that also counts in its log, every line in two writes.
var counting = load.Express + `
let n = 0
const begin = () => { process.stdout.write('count '); setTimeout(end, 1) }
const end = () => { process.stdout.write(++n + ' of many\n'); setTimeout(begin, 1) }
begin()
`

// counted fails the test unless the lines of a log count from 1 on without a gap, and returns the last number.
func (p *project) counted(log string) int {
	p.t.Helper()
	line := regexp.MustCompile(`^count (\d+) of many$`)
	last := 0
	text := p.read(log)
	for l := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil {
			p.t.Fatalf("after %d the log says %q", last, l)
		}
		if last++; m[1] != fmt.Sprint(last) {
			p.t.Fatalf("after %d the log counts %s", last-1, m[1])
		}
	}
	return last
}

// Upgrades under load, back and forth between two versions: no request fails, no process is restarted, no line of the
// log is lost or cut. Twice; 50 times, if asked for.
func TestSoakUpgrade(t *testing.T) {
	t.Parallel()
	upgradeUnderLoad(t, rounds(t, 2, 50))
}

func TestUpgradeInPlaceUnderLoad(t *testing.T) {
	t.Parallel()
	upgradeUnderLoad(t, 10)
}

func upgradeUnderLoad(t *testing.T, upgrades int) {
	s := newSite(t, counting, "out_file: web.log, "+forEver)
	l := s.load()
	before := s.process("web")
	for n := range upgrades {
		s.upgradeTo([]string{newVersion, oldVersion}[n%2])
		goesOn(t, l)
	}
	after := s.process("web")
	if !after.Ready || after.Pid == nil || *after.Pid != *before.Pid || after.Restarts != before.Restarts || after.ID != before.ID {
		t.Errorf("the process was %+v and is %+v", before, after)
	}
	if lines := s.counted(".devstack/logs/web.log"); lines < 100*upgrades/10 {
		t.Errorf("the log counts to %d only", lines)
	}
	s.must("reload") // what the keeper holds can still be passed on
	if now := s.instances(1)[0]; now == *before.Pid {
		t.Errorf("%d runs after a reload", now)
	}
	nothingFailed(t, l)
}

// A daemon that is killed right after an upgrade, and one that is killed while it asks for it.
func TestFaultDaemonKilledDuringUpgrade(t *testing.T) {
	t.Parallel()
	s := newSite(t, load.Express, forEver)
	l, old := s.load(), s.instances(1)[0]
	for n := range rounds(t, 3, 20) {
		s.upgradeTo([]string{oldVersion, newVersion}[n%2])
		kill(t, s.ps().Daemon.Pid)
		goesOn(t, l)
		daemon := s.ps().Daemon.Pid
		ended := make(chan result)
		go func() { ended <- s.runVersion(oldVersion, "daemon", "restart") }()
		kill(t, daemon)
		t.Log(<-ended) // either way
		waitFor(t, "a daemon that answers", func() (bool, any) {
			state := s.ps()
			return allOnline(state), state
		})
	}
	if now := s.instances(1)[0]; now != old {
		t.Errorf("the process was %d and is %d", old, now)
	}
	s.must("reload")
	nothingFailed(t, l)
}

// What does not run is refused, and with nothing running there is nothing to replace.
func TestUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", "apps: [{name: sleeper, script: /bin/sleep, args: [\"1000\"]}]\n")
	if r := p.run("daemon", "restart"); r.code != 8 {
		t.Error(r)
	}
	p.must("up")
	before := p.ps()
	dir := t.TempDir()
	for _, name := range []string{"devstack", "devstackd"} {
		if err := os.Link(filepath.Join(binariesDir(), name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "devstackd")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "devstackd"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline(t))
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "devstack"), "daemon", "restart")
	cmd.Dir, cmd.Env = p.dir, p.environment()
	if r := execute(t, cmd); r.code != 4 || !strings.Contains(r.stderr, "permission denied") {
		t.Error(r)
	}
	if after := p.ps(); after.Daemon.Pid != before.Daemon.Pid || *after.Processes[0].Pid != *before.Processes[0].Pid {
		t.Errorf("there was %+v, there is %+v", before, after)
	}
}
