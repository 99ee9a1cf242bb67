//go:build linux

package keeper

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/procs/keeper/protocol"
)

// Every byte that processes say while the keeper is replaced again and again is on disk once, in order, across rotations,
// whatever the format.
func TestEveryLineOnceWhileUpgrading(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	want := sha256.New()
	newChatter(lines).say(func(b []byte) { want.Write(b) })
	r := newRig(t)
	c, daemon, _ := r.dial()
	formats := []string{"", "text", "json"}
	for _, format := range formats {
		l := r.sh("app"+format, "")
		l.Argv = []string{r.opts.Self, "chatter", strconv.Itoa(lines)}
		l.Logs.Format, l.Logs.MaxSize = format, 1<<20
		mustLaunch(t, c, l)
	}
	upgrades := 0
	for running := true; running; upgrades++ {
		c, daemon, _ = r.upgrade(c, daemon)
		running = false
		for _, l := range mustList(t, c) {
			running = running || l.Exit == nil
			if l.Exit != nil && l.Exit.Code != 0 {
				t.Fatalf("%+v", l.Exit)
			}
		}
	}
	if upgrades < 2 {
		t.Errorf("only %d upgrades", upgrades)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	for _, format := range formats {
		got := sha256.New()
		path := filepath.Join(r.opts.Dir, "app"+format+"-out.log")
		if found := hashPayload(t, path, format, got); found != lines {
			t.Errorf("format %q: %d records of %d lines", format, found, lines)
		}
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("format %q: what is on disk is not what was said", format)
		}
	}
}

// What the disk did not take goes along.
func TestUpgradeWhileALogCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, w := r.dial()
	l := r.sh("app", `echo one; echo two; printf three; echo '"said"' >&3; read -r m <&3; echo " four"`)
	l.Logs.Err = l.Logs.Out
	if err := os.Mkdir(l.Logs.Out, 0o700); err != nil {
		t.Fatal(err)
	}
	mustLaunch(t, c, l)
	mustSay(t, w, "said")
	c, daemon, _ = r.upgrade(c, daemon)
	c, _, w = r.upgrade(c, daemon)
	if err := os.Remove(l.Logs.Out); err != nil {
		t.Fatal(err)
	}
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Message: "1"})
	next(t, "exit", w.exits)
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := mustRead(t, l.Logs.Out); out != "one\ntwo\nthree four\n" {
		t.Errorf("out.log: %q", out)
	}
}

// A piece of an overlong line that is on disk already is continued, and not joined to another process's line.
func TestUpgradeInsideAnOverlongLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, w := r.dial()
	long := `head -c 100000 /dev/zero | tr '\0' x; echo '"said"' >&3; read -r m <&3; echo end`
	one, two := r.sh("one", long), r.sh("two", "echo other")
	two.Logs.Out = one.Logs.Out
	mustLaunch(t, c, one)
	mustSay(t, w, "said")
	c, daemon, _ = r.upgrade(c, daemon)
	mustSignal(t, c, protocol.SignalReq{Key: one.Key, Message: "1"})
	for mustList(t, c)[0].Exit == nil {
	}
	c, _, w = r.upgrade(c, daemon)
	mustLaunch(t, c, two)
	next(t, "exit", w.exits)
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := mustRead(t, one.Logs.Out); out != strings.Repeat("x", 100_000)+"end\nother\n" {
		t.Errorf("%d bytes, at the end %q", len(out), out[max(0, len(out)-30):])
	}
}

// A message of which half is in a process that does not read goes on after the upgrade, and the next one is its own line.
func TestUpgradeInsideAMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, daemon, _ := r.dial()
	const size = 1 << 20
	long := `"` + strings.Repeat("m", size) + `"`
	l := r.sh("app", fmt.Sprintf("read x < step; head -c %d <&3 > got; echo > told; head -c 8 <&3 >> got; echo > told; exec sleep 1000", size+3))
	step, told := mustFifo(t, filepath.Join(r.opts.Dir, "step")), mustFifo(t, filepath.Join(r.opts.Dir, "told"))
	mustLaunch(t, c, l)
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Message: long})
	for range 2 {
		c, daemon, _ = r.upgrade(c, daemon)
	}
	mustWrite(t, step, "\n")
	mustRead(t, told)
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Message: `"short"`})
	mustRead(t, told)
	if got := mustRead(t, filepath.Join(r.opts.Dir, "got")); got != long+"\n\"short\"\n" {
		t.Errorf("%d bytes, at the end %q", len(got), got[max(0, len(got)-30):])
	}
}

// Nothing is left open by upgrades, nothing is passed on to launches, and no signal stays blocked in them.
func TestUpgradeLeaksNothing(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, daemon, w := r.dial()
	web := r.web("web", 0, 1, port, "listen()")
	mustLaunch(t, c, web)
	mustListen(t, w, web, port)
	look := func(generation int64) string {
		l := r.sh("look", "ls /proc/self/fd; grep Sig[BI] /proc/self/status")
		l.Key.Generation = generation
		l.Logs.Out += itoa(int(generation))
		mustLaunch(t, c, l)
		next(t, "exit", w.exits)
		mustSignal(t, c, protocol.SignalReq{Key: l.Key, Signal: int(syscall.SIGKILL), Tree: true}) // and its output is on disk
		return mustRead(t, l.Logs.Out)
	}
	open := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", mustHello(t, c).Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := look(1)
	c, daemon, w = r.upgrade(c, daemon)
	files := open()
	for range 5 {
		c, daemon, w = r.upgrade(c, daemon)
	}
	if now := open(); now > files {
		t.Errorf("%d files are open, after one upgrade %d", now, files)
	}
	if after := look(2); after != before {
		t.Errorf("a launch sees\n%s, before\n%s", after, before)
	}
}

// A keeper that is asked to end in the middle of an upgrade ends, with everything that it runs; at the latest, when there
// is another one.
func TestSignalDuringUpgrade(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, 5, 10, 20, 30, 40, 60, 80, 100, 150} {
		t.Run(fmt.Sprint(int(after)), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c, _, _ := r.dial()
			keeper := openProc(t, mustHello(t, c).Pid)
			child := openProc(t, mustLaunch(t, c, r.sh("app", "exec sleep 1000")).Pid)
			if err := c.Exec(t.Context(), protocol.ExecReq{Self: r.opts.Self, Daemon: r.opts.Daemon}); err != nil {
				t.Fatal(err)
			}
			<-time.After(after * time.Millisecond) // at any moment of it
			if err := syscall.Kill(keeper.pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			waitGone(t, r.opts)
			if _, err := protocol.Spawn(r.opts); err != nil { // ends what a keeper has left that was still starting
				t.Fatal(err)
			}
			child.mustDie()
		})
	}
}
