//go:build linux

package keeper

import (
	"context"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/procs/keeper/protocol"
)

// A held socket is passed on, connected to, claimed and released after upgrades as before, also by who was not born then.
func TestUpgradeKeepsSockets(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, daemon, w := r.dial()
	first := r.web("first", 0, 1, port, "listen()")
	mustLaunch(t, c, first)
	mustListen(t, w, first, port)
	c, daemon, w = r.upgrade(c, daemon)
	if list := mustList(t, c); len(list) != 1 || len(list[0].Listening) != 1 || list[0].Listening[0] != (protocol.Address{Port: port}) {
		t.Fatalf("List: %+v", list)
	}
	if got := ask(t, mustConnect(t, port)); got != "first" {
		t.Errorf("answer: %q", got)
	}
	mustReach(t, c, first, port)
	mustEnd(t, c, w, first)
	waiting := mustConnect(t, port)
	c, daemon, w = r.upgrade(c, daemon)
	second := r.web("second", 0, 2, port, "listen()")
	if got := mustLaunch(t, c, second); len(got.Held) != 1 {
		t.Errorf("born with %+v", got.Held)
	}
	mustListen(t, w, second, port)
	if got := ask(t, waiting); got != "second" {
		t.Errorf("who has waited through the upgrade hears %q", got)
	}
	mustRelease(t, c, protocol.ReleaseReq{App: "web", Before: 2})
	c, _, w = r.upgrade(c, daemon)
	mustSignal(t, c, protocol.SignalReq{Key: second.Key, Message: `{"cmd":"NODE_DEVSTACK","drain":true}`})
	if k := next(t, "drained", w.drained); k != second.Key {
		t.Errorf("drained: %+v", k)
	}
	mustEnd(t, c, w, second)
	mustConnect(t, port).Close()
	mustRelease(t, c, protocol.ReleaseReq{App: "web"})
	mustRefuse(t, port)
}

// mustReach asks a launch by a connection of its own.
func mustReach(t *testing.T, c *protocol.Conn, l protocol.Launch, port int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	conn, err := c.Connect(ctx, protocol.ConnectReq{Key: l.Key, Address: protocol.Address{Port: port}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if want := l.Env[len(l.Env)-2]; "TEST_NAME="+ask(t, conn) != want {
		t.Errorf("not the answer of %s", want)
	}
}

// A launch that waits for another one's socket gets it after the upgrade.
func TestUpgradeKeepsWhoWaitsForASocket(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, daemon, w := r.dial()
	one := r.web("one", 0, 1, port, "process.send('up')")
	// It asks again if the upgrade has taken longer than anybody waits.
	two := r.web("two", 1, 1, port, "process.on('internalMessage', (m) => m.free === 7 && want()); process.send('up')")
	mustLaunch(t, c, one)
	mustSay(t, w, "up")
	mustLaunch(t, c, two)
	mustSay(t, w, "up")
	tell(t, c, two, "want()")
	c, _, w = r.upgrade(c, daemon)
	tell(t, c, one, "listen()")
	mustListen(t, w, one, port)
	for string(next(t, "answer", w.ipc).Line) == `"free"` {
	}
	mustListen(t, w, two, port)
	mustEnd(t, c, w, one)
	if got := ask(t, mustConnect(t, port)); got != "two" {
		t.Errorf("answer: %q", got)
	}
}

// A descriptor that is on its way when the keeper is replaced arrives, and its acknowledgment is not taken for another's.
func TestUpgradeWithADescriptorOnItsWay(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, daemon, w := r.dial()
	web := r.web("web", 0, 1, port, "listen()")
	launched := mustLaunch(t, c, web)
	mustListen(t, w, web, port)
	two := r.web("two", 1, 1, port, "process.send('up')")
	stopped := mustLaunch(t, c, two)
	mustSay(t, w, "up")
	mustStop(t, launched.Pid)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if conn, err := c.Connect(ctx, protocol.ConnectReq{Key: web.Key, Address: protocol.Address{Port: port}}); err == nil {
		conn.Close()
		t.Error("a process that is stopped has taken a connection")
	}
	tell(t, c, two, "want();process.kill(process.pid,'SIGSTOP')")
	for !strings.Contains(mustRead(t, "/proc/"+itoa(stopped.Pid)+"/stat"), ") T ") {
		runtime.Gosched()
	}
	c, _, w = r.upgrade(c, daemon)
	for _, pid := range []int{launched.Pid, stopped.Pid} {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	mustReach(t, c, web, port)
	mustSay(t, w, "held")
	mustListen(t, w, two, port)
	mustReach(t, c, two, port)
}

func mustStop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}
