//go:build linux

package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/protocol"
)

func TestConnectReachesOneLaunch(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	launches := []protocol.Launch{r.web("a", 0, 1, port, "listen()"), r.web("b", 1, 1, port, "listen()")}
	pids := map[string]int{}
	for i, name := range []string{"a", "b"} {
		pids[name] = mustLaunch(t, c, launches[i]).Pid
		mustListen(t, w, launches[i], port)
	}
	at := protocol.Address{Port: port}
	for range 10 {
		for i, name := range []string{"a", "b"} {
			nc, err := c.Connect(t.Context(), protocol.ConnectReq{Key: launches[i].Key, Address: at})
			if err != nil {
				t.Fatal(err)
			}
			if got := ask(t, nc); got != name {
				t.Errorf("%s answered instead of %s", got, name)
			}
			nc.Close()
		}
	}
	for what, req := range map[string]protocol.ConnectReq{
		"another address": {Key: launches[0].Key, Address: protocol.Address{Host: "127.0.0.1", Port: port}},
		"no such launch":  {Key: protocol.Key{App: "web", Instance: 9, Generation: 1}, Address: at},
	} {
		if _, err := c.Connect(t.Context(), req); !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := syscall.Kill(pids["a"], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	req := protocol.ConnectReq{Key: launches[0].Key, Address: at}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Connect(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hung launch: %v", err)
	}
	results := make(chan error, ipc.MaxUnacked)
	for range ipc.MaxUnacked { // one of them is one too many
		go func() {
			_, err := c.Connect(t.Context(), req)
			results <- err
		}()
	}
	if err := next(t, "refusal", results); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("one too many: %v", err)
	}
	mustEnd(t, c, w, launches[0])
	for range ipc.MaxUnacked - 1 {
		if err := next(t, "end of Connect", results); !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("the launch has died: %v", err)
		}
	}
}

func TestNoDescriptorIsLost(t *testing.T) {
	t.Parallel()
	r, port, spare := newRig(t), freeport.Get(t), freeport.Get(t)
	c, _, w := r.dial()
	id, _, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := r.web("web", 0, 1, port, "other.listen(0); onheld = (h) => { h.close(); process.send('done') }; listen()")
	mustLaunch(t, c, l)
	mustListen(t, w, l, port)
	missing := r.sh("missing", "")
	missing.Argv = []string{"/nonexistent/program"}
	missing.Hold = &protocol.Hold{Bind: spare}
	round := func() {
		if _, err := c.Launch(t.Context(), missing); !errors.Is(err, syscall.ENOENT) {
			t.Fatalf("missing program: %v", err)
		}
		nc, err := c.Connect(t.Context(), protocol.ConnectReq{Key: l.Key, Address: protocol.Address{Port: port}})
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if nc, err := c.Connect(gone, protocol.ConnectReq{Key: l.Key, Address: protocol.Address{Port: port}}); err == nil {
			nc.Close()
		}
		tell(t, c, l, "process.send('foreign', other); tell({ listening: address }, other._handle); report(); want()")
		mustListen(t, w, l, port)
		mustSay(t, w, "done")
	}
	round()
	descriptors := func() int {
		if _, err := c.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", id.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := descriptors()
	for range 100 {
		round()
	}
	for limit := time.Now().Add(15 * time.Second); descriptors() > before && time.Now().Before(limit); {
	}
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	mustEnd(t, c, w, l)
	mustRefuse(t, spare)
}
