package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/bench/load"
)

// fixtures builds small apps of real frameworks with the project's own script, once for all tests, and returns their
// folder. None of them knows anything of devstack.
var fixtures = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("scripts/fixtures")
	cmd.Dir = repository
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/fixtures: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
})

// heldApp is a project with one of them as the app web.
type heldApp struct {
	*project
	port, admin int
}

// newHeldApp starts it; keys say how it is run.
func newHeldApp(t *testing.T, keys string) *heldApp {
	t.Helper()
	dir, err := fixtures()
	if err != nil {
		t.Fatal(err)
	}
	a := &heldApp{project: newProject(t), port: freeport.Get(t), admin: freeport.Get(t)}
	a.write("ecosystem.yaml", fmt.Sprintf("apps:\n  - {name: web, cwd: %q, port: %d, env: {PORT: \"%[2]d\", ADMIN_PORT: \"%[3]d\"}, %s, restart_delay: 0}\n",
		dir, a.port, a.admin, keys))
	a.must("up")
	return a
}

// pid is that of the process, which must be ready.
func (a *heldApp) pid() int {
	a.t.Helper()
	state := a.ps()
	allReady(a.t, state, 0, 1)
	return pids(state)["web"]
}

// underLoad counts what clients see while something is done, until another process than gone has answered.
func (a *heldApp) underLoad(gone int, do func()) load.Report {
	a.t.Helper()
	l, err := load.Start(load.Options{Address: fmt.Sprintf("127.0.0.1:%d", a.port), Pause: 10 * time.Millisecond})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { l.Stop() })
	ctx, cancel := context.WithDeadline(a.t.Context(), deadline(a.t))
	defer cancel()
	if err := l.Answered(ctx, 100); err != nil {
		a.t.Fatal(err)
	}
	do()
	another := func(r *load.Report) bool {
		return len(r.Servers) > 1 || len(r.Servers) == 1 && r.Servers[fmt.Sprint(gone)] == 0
	}
	if err := errors.Join(l.Until(ctx, another), l.Answered(ctx, 100)); err != nil {
		a.t.Fatal(err)
	}
	return l.Stop()
}

// Unmodified apps answer every request through a reload; killed, they lose what they had under way and refuse nobody;
// stopped, they refuse.
func TestHeldSockets(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"CommonJS":            "script: commonjs.js",
		"ES module":           "script: esm.mjs",
		"TypeScript compiled": "script: dist/typescript.js",
		"TypeScript by tsx":   "command: [node, --import, tsx, typescript.ts]",
		"Express":             "script: express.js",
		"Fastify":             "script: fastify.js",
		"Nest":                "script: dist/nest.mjs",
	} {
		t.Run(name, func(t *testing.T) {
			a := newHeldApp(t, keys)
			if row := a.process("web"); !strings.HasPrefix(string(row.ReadyBy), "listens :") {
				t.Errorf("readiness is judged by %v", row.ReadyBy)
			}
			old := a.pid()
			if r := a.underLoad(old, func() { a.must("reload") }); r.Failed() > 0 {
				t.Errorf("%d requests failed during a reload: %s %q", r.Failed(), r, r.Failures)
			}
			now := a.pid()
			if now == old {
				t.Errorf("%d runs after a reload", old)
			}
			if r := a.underLoad(now, func() { kill(t, now) }); r.Failed() != r.Reset {
				t.Errorf("more failed than what the dead process had under way: %s %q", r, r.Failures)
			}
			a.must("stop")
			if err := refusal("127.0.0.1", a.port); err != nil {
				t.Error(err)
			}
		})
	}
}

// refusal is nil if nobody listens.
func refusal(host string, port int) error {
	conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("%s accepts", conn.RemoteAddr())
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	}
	return err
}

// Node's own cluster accepts in its primary: that one's socket is held, and its workers answer. They are told to leave
// by the app itself, after kill_timeout, and it knows nothing of kept connections: every client opens its own here.
func TestHeldCluster(t *testing.T) {
	t.Parallel()
	a := newHeldApp(t, "script: cluster.js, kill_timeout: 2s")
	l, old := a.visitors(a.port, false), a.pid()
	workers := l.next(t, 20)
	a.must("reload")
	primary := a.pid()
	if primary == old {
		t.Errorf("primary %d runs after a reload", old)
	}
	for pid := range l.next(t, 20) {
		if workers[pid] {
			t.Errorf("worker %d answers after a reload", pid)
		}
	}
	for _, err := range l.leave() {
		t.Error(err)
	}

	l = a.visitors(a.port, false)
	workers = l.next(t, 20)
	kill(t, primary)
	waitFor(t, "another primary", func() (bool, any) {
		state := a.ps()
		return allOnline(state) && pids(state)["web"] != primary, state
	})
	for pid := range l.next(t, 20) {
		if workers[pid] {
			t.Errorf("worker %d answers after the death of its primary", pid)
		}
	}
	for _, err := range l.leave() {
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("not a request that a dead worker had under way: %v", err)
		}
	}
	a.must("stop")
	if err := refusal("127.0.0.1", a.port); err != nil {
		t.Error(err)
	}
}

// A client of HTTP/2 keeps its one connection until it is told to leave.
func TestHeldHTTP2(t *testing.T) {
	t.Parallel()
	a := newHeldApp(t, "script: http2.js")
	l, old := a.visitors(a.port, true), a.pid()
	l.next(t, 20)
	a.must("reload")
	if who := l.next(t, 20); who[old] || !who[a.pid()] {
		t.Errorf("answers after a reload come from %v", who)
	}
	for _, err := range l.leave() {
		t.Error(err)
	}
}

// Both sockets of an app are held.
func TestHeldTwoPorts(t *testing.T) {
	t.Parallel()
	a := newHeldApp(t, "script: twoports.js")
	waitFor(t, "the second port, which up does not wait for", func() (bool, any) {
		err := refusal("127.0.0.1", a.admin)
		return err != nil, err
	})
	first, second := a.visitors(a.port, false), a.visitors(a.admin, false)
	a.must("reload")
	now := a.pid()
	for _, l := range []*visitors{first, second} {
		if who := l.next(t, 20); !who[now] || len(who) != 1 {
			t.Errorf("answers after a reload come from %v", who)
		}
		for _, err := range l.leave() {
			t.Error(err)
		}
	}
	kill(t, now)
	for _, port := range []int{a.port, a.admin} {
		l := a.visitors(port, false)
		if who := l.next(t, 1); who[now] {
			t.Error("a dead process answers")
		}
		for _, err := range l.leave() {
			t.Error(err)
		}
	}
}

// An app on 127.0.0.1 can be reached at no other address of this host: not before, not during, not after a reload.
func TestHeldLoopbackOnly(t *testing.T) {
	t.Parallel()
	a := newHeldApp(t, "script: fastify.js")
	others := append(addresses(t), "127.0.0.2")
	refused := func() {
		t.Helper()
		for _, host := range others {
			if err := refusal(host, a.port); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused()
	old, ended := a.pid(), make(chan struct{})
	reload := a.command(t.Context(), a.dir, nil, "reload")
	if err := reload.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = reload.Wait()
		close(ended)
	}()
	for reloading := true; reloading; {
		refused()
		select {
		case <-ended:
			reloading = false
		default:
		}
	}
	now := a.pid()
	if code := reload.ProcessState.ExitCode(); code != 0 || now == old {
		t.Errorf("reload ends with %d; %d runs", code, now)
	}
	refused()
	kill(t, now)
	a.visitors(a.port, false).next(t, 1)
	refused()
}

// What npm starts is not node itself: nothing is held, a reload stops it first, and says so.
func TestNotHeldByNpm(t *testing.T) {
	t.Parallel()
	a := newHeldApp(t, "command: [npm, start, --silent]")
	answers := func() { a.visitors(a.port, false).next(t, 1) }
	answers()
	old := a.pid()
	r := a.run("reload")
	if now := a.pid(); r.code != 0 || now == old {
		t.Errorf("%d runs after %s", now, r)
	}
	if strings.Count(r.stderr, "holds no socket of web") != 1 {
		t.Errorf("does not say why there is a gap: %s", r)
	}
	answers()
}

// addresses are those of this host that are not of the loopback device.
func addresses(t *testing.T) (hosts []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			hosts = append(hosts, ip.IP.String())
		}
	}
	return hosts
}

// visitors ask who answers, one request after the other, until they leave.
type visitors struct {
	stop  context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	pids   []int
	failed map[string]error // by their text: a port that refuses does so very often
}

// visitors asks at a port of 127.0.0.1: by HTTP/2 over one connection, or by HTTP/1 over a new connection each time.
func (a *heldApp) visitors(port int, http2 bool) *visitors {
	ctx, cancel := context.WithCancel(a.t.Context())
	v := &visitors{stop: cancel, ended: make(chan struct{}), failed: map[string]error{}}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(http2)
	protocols.SetHTTP1(!http2)
	transport := &http.Transport{Protocols: protocols, DisableKeepAlives: !http2}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	go func() {
		defer close(v.ended)
		defer transport.CloseIdleConnections()
		for ctx.Err() == nil {
			pid, err := whoAnswers(client, port)
			v.mu.Lock()
			if err != nil {
				v.failed[err.Error()] = err
			} else {
				v.pids = append(v.pids, pid)
			}
			v.mu.Unlock()
		}
	}()
	a.t.Cleanup(func() { v.leave() })
	return v
}

func whoAnswers(client *http.Client, port int) (int, error) {
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var who struct{ Pid int }
	err = json.NewDecoder(response.Body).Decode(&who)
	return who.Pid, err
}

// next is who gives the next answers, but for one that may have been asked for before.
func (v *visitors) next(t *testing.T, answers int) map[int]bool {
	t.Helper()
	v.mu.Lock()
	from := len(v.pids) + 1
	v.mu.Unlock()
	found := map[int]bool{}
	waitFor(t, "more answers", func() (bool, any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if len(v.pids) < from+answers {
			return false, v.failed
		}
		for _, pid := range v.pids[from:] {
			found[pid] = true
		}
		return true, nil
	})
	return found
}

// leave ends the asking and returns what failed.
func (v *visitors) leave() map[string]error {
	v.stop()
	<-v.ended
	return v.failed
}
