package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is a process of a project.
type running struct {
	pid    int
	exe    string // base name of the executable
	args   string
	marker string // DEVSTACK_LAUNCH: ID/app/instance/generation of a launch, ID/ of a daemon, empty for a keeper
}

// processes lists what runs of the project, found by what is in its environment or, of native servers, which overwrite that,
// by the folder that they work in; never by name.
func (p *project) processes() []running {
	p.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatalf("these tests look for survivors in /proc: %v", err)
	}
	var found []running
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", entry.Name())
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue // it has ended
		}
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		ours := p.data != "" && strings.HasPrefix(cwd, p.data+"/")
		r := running{pid: pid}
		for kv := range strings.SplitSeq(string(environ), "\x00") {
			if marker, ok := strings.CutPrefix(kv, "DEVSTACK_LAUNCH="+p.ID); ok {
				r.marker, ours = p.ID+marker, true
			}
			ours = ours || kv == "DEVSTACK_HOME="+p.home
		}
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		if !ours || err != nil {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		r.exe, r.args = filepath.Base(exe), strings.ReplaceAll(string(args), "\x00", " ")
		found = append(found, r)
	}
	return found
}

func (p *project) keepers() []running { return p.executing("devstack") }
func (p *project) daemons() []running { return p.executing("devstackd") }

func (p *project) executing(exe string) (found []running) {
	for _, r := range p.processes() {
		if r.exe == exe {
			found = append(found, r)
		}
	}
	return found
}

// launched lists the processes of an app and what they have started.
func (p *project) launched(app string) (found []running) {
	for _, r := range p.processes() {
		if strings.HasPrefix(r.marker, p.ID+"/"+app+"/") {
			found = append(found, r)
		}
	}
	return found
}

// nothingRuns fails the test if a process, a container or a network of the project is there.
func (p *project) nothingRuns() {
	p.t.Helper()
	if left := p.processes(); len(left) > 0 {
		p.t.Errorf("processes are left: %+v", left)
	}
	if left := p.labelled("container"); len(left) > 0 {
		p.t.Errorf("containers are left: %v", left)
	}
	if left := p.labelled("network"); len(left) > 0 {
		p.t.Errorf("networks are left: %v", left)
	}
}

// labelled lists the ids of the project's containers, networks or volumes.
func (p *project) labelled(kind string) []string {
	p.t.Helper()
	args := []string{kind, "ls", "-q", "--filter", "label=com.docker.compose.project=" + p.name}
	if kind == "container" {
		args = append(args, "-a")
	}
	return strings.Fields(docker(p.t, args...))
}

// docker runs the docker command, which must succeed, and returns what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	output, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// cleanUp ends the stack as a person would, then whatever is left of it.
func (p *project) cleanUp() {
	if p.t.Failed() {
		p.explain()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	_ = p.command(ctx, p.dir, nil, "down", "-v").Run()
	for _, r := range p.processes() {
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
	}
	for _, remove := range [][]string{{"container", "rm", "-f"}, {"network", "rm"}, {"volume", "rm"}} {
		if ids := p.labelled(remove[0]); len(ids) > 0 {
			docker(p.t, append(remove, ids...)...)
		}
	}
	for _, dir := range []string{p.home, p.data} {
		if err := os.RemoveAll(dir); err != nil {
			p.t.Errorf("cannot clean up: %v", err)
		}
	}
}

// explain prints what a person would look at after a failure.
func (p *project) explain() {
	var b strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	output, _ := p.command(ctx, p.dir, nil, "ps").CombinedOutput()
	fmt.Fprintf(&b, "--- devstack ps\n%s", output)
	logs, _ := filepath.Glob(filepath.Join(p.StateDir, "*.log"))
	more, _ := filepath.Glob(filepath.Join(p.dir, "scripts/logs/*.log"))
	for _, path := range append(logs, more...) {
		content, _ := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(&b, "--- %s\n%s\n", filepath.Base(path), strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	p.t.Log(b.String())
}

// kill ends a process as the out-of-memory killer does.
func kill(t *testing.T, pid int) {
	t.Helper()
	signal(t, pid, syscall.SIGKILL)
}

func signal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("cannot send %v to %d: %v", sig, pid, err)
	}
}
