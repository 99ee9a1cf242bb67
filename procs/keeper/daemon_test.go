//go:build linux

package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/procs/keeper/logs"
)

func kill9(t *testing.T, pid int) {
	t.Helper()
	p := openProc(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.mustDie()
}

func TestExitIsKeptUntilAcked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, w := r.dial()
	fifo := filepath.Join(r.opts.Dir, "go")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Stash(t.Context(), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	l := r.sh("app", `echo '"ready"' >&3; read x < go; exit 7`)
	launched := mustLaunch(t, c, l)
	next(t, "ready", w.ipc)
	child := openProc(t, launched.Pid)
	kill9(t, daemon)
	<-c.Done()
	if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	child.mustDie()
	for range 2 { // two more daemons see it, the second one acks
		c, daemon, _ = r.dial()
		list, err := c.List(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("List: %+v, %v", list, err)
		}
		got := list[0]
		if got.Exit == nil || got.Exit.Code != 7 || !got.Ready || got.Key != l.Key || got.Launched.Pid != launched.Pid ||
			got.Launched.StartTime != launched.StartTime || got.Launched.StartTime == 0 {
			t.Fatalf("List: %+v", got)
		}
		kill9(t, daemon)
	}
	c, _, _ = r.dial()
	if blob, err := c.Fetch(t.Context()); err != nil || string(blob) != "secret" {
		t.Errorf("Fetch: %q, %v", blob, err)
	}
	if err := c.Ack(t.Context(), l.Key); err != nil {
		t.Fatal(err)
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("after Ack: %+v, %v", list, err)
	}
	journal := mustRead(t, filepath.Join(r.opts.StateDir, "journal"))
	if strings.Count(journal, `"verb":"launch"`) != 1 || strings.Count(journal, `"verb":"exited"`) != 1 || strings.Contains(journal, "PATH") {
		t.Errorf("journal: %s", journal)
	}
}

func TestHungDaemonIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, "TEST_PING_EVERY=300ms")
	c, daemon, _ := r.dial()
	launched := mustLaunch(t, c, r.sh("app", "exec sleep 1000"))
	hung := openProc(t, daemon)
	if err := syscall.Kill(daemon, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c2, daemon2, _ := r.dial()
	for daemon2 == daemon { // accepted in the last moment before it stopped; later ones wait in the backlog
		c2, daemon2, _ = r.dial()
	}
	hung.mustDie()
	list, err := c2.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Launched.Pid != launched.Pid || list[0].Exit != nil {
		t.Errorf("List: %+v, %v", list, err)
	}
}

func TestRespawnDelays(t *testing.T) {
	var got []time.Duration
	for d := time.Duration(0); len(got) < 8; d = nextDelay(d, time.Second) {
		got = append(got, d/time.Second)
	}
	if fmt.Sprint(got) != "[0s 1ns 2ns 4ns 8ns 16ns 30ns 30ns]" {
		t.Error(got)
	}
}

func TestEveryLineOnceWhileDaemonsDie(t *testing.T) {
	t.Parallel()
	const apps, lines = 4, 50_000
	r := newRig(t)
	c, _, _ := r.dial()
	for i := range apps {
		l := r.sh(fmt.Sprint("app", i), "")
		l.Argv = []string{r.opts.Self, "count", l.Key.App, itoa(lines)}
		l.Logs.MaxSize = 1 << 20
		if i == apps-1 { // two launches, one file
			l.Logs.Out = filepath.Join(r.opts.Dir, "app0-out.log")
		}
		mustLaunch(t, c, l)
	}
	kills := 0
	for running := true; running; {
		c, daemon, _ := r.dial()
		list, err := c.List(t.Context())
		if err != nil || len(list) != apps {
			t.Fatalf("List: %+v, %v", list, err)
		}
		running = false
		for _, l := range list {
			running = running || l.Exit == nil
			if l.Exit != nil && l.Exit.Code != 0 {
				t.Fatalf("%+v", l.Exit)
			}
		}
		if running {
			kill9(t, daemon)
			kills++
		}
	}
	if kills < 2 {
		t.Errorf("only %d daemons were killed", kills)
	}
	c, _, _ = r.dial()
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range apps - 1 {
		path := filepath.Join(r.opts.Dir, fmt.Sprintf("app%d-out.log", i))
		checkNumbered(t, path, lines)
	}
}

// checkNumbered reads a log with its backups: each name must count 1..n, in order, and no line may be damaged.
func checkNumbered(t *testing.T, path string, n int) {
	t.Helper()
	files, err := logs.Backups(path)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s was not rotated: %v", path, err)
	}
	last := map[string]int{}
	for _, file := range append(files, path) {
		text := mustRead(t, file)
		if len(text) > 1<<20 || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s: %d bytes, ends in %q", file, len(text), text[max(0, len(text)-10):])
		}
		for line := range strings.Lines(text) {
			var name string
			var i int
			if _, err := fmt.Sscanf(line, "%s %d", &name, &i); err != nil || !strings.HasSuffix(line, "about this request\n") {
				t.Fatalf("%s: damaged line %q", file, line)
			}
			if i != last[name]+1 {
				t.Fatalf("%s: %s %d follows %d", file, name, i, last[name])
			}
			last[name] = i
		}
	}
	if len(last) == 0 {
		t.Errorf("%s: empty", path)
	}
	for name, i := range last {
		if i != n {
			t.Errorf("%s: %s ends at %d", path, name, i)
		}
	}
}
