//go:build linux

package keeper

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/procs/keeper/protocol"
)

// web is a Node program that speaks with the keeper as the preload does, when the test says so: a message is a line
// of JavaScript. It answers requests with its name.
const web = `
const http = require('http'), fs = require('fs'), net = require('net')
const address = { host: '', port: +process.env.TEST_PORT }
const held = JSON.parse(process.env.DEVSTACK_HELD || '[]')
const server = http.createServer((q, s) => s.end(process.env.TEST_NAME))
const other = net.createServer()
const tell = (m, h, done) => process.send({ cmd: 'NODE_DEVSTACK', ...m }, h, done)
const report = () => tell({ listening: address }, server._handle)
const listen = () => held.length ? server.listen({ fd: held[0].fd }, report) : server.listen(address.port, report)
const want = () => tell({ want: address, id: 7 })
let onheld = (h) => { process.send('held'); server.listen(h, report) }
server.on('error', (e) => process.send(e.code))
process.on('internalMessage', (m, h) => {
  if (m.connection) server._handle.onconnection.call(server._handle, 0, h)
  if (m.held === 7) onheld(h)
  if (m.free === 7) process.send('free')
  if (m.drain) tell({ drained: true })
})
process.on('message', (m) => eval(m))
`

func (r *rig) web(name string, instance int, generation int64, port int, begin string) protocol.Launch {
	l := r.sh(name, "")
	l.Key = protocol.Key{App: "web", Instance: instance, Generation: generation}
	l.Argv = []string{"/usr/bin/env", "node", "-e", web + begin}
	l.Env = append(l.Env, "TEST_NAME="+name, "TEST_PORT="+itoa(port))
	l.Hold = &protocol.Hold{}
	return l
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func mustConnect(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", loopback(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a request and returns the body of the answer.
func ask(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return answer(t, c)
}

func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	b, err := io.ReadAll(bufio.NewReader(c))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "\r\n\r\n")
	for _, line := range strings.Split(body, "\r\n") { // chunked or not
		if len(line) > 1 {
			return line
		}
	}
	return body
}

func mustRefuse(t *testing.T, port int) {
	t.Helper()
	c, err := net.Dial("tcp", loopback(port))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connection: %v", err)
	}
	if err == nil {
		c.Close()
	}
}

func tell(t *testing.T, c *protocol.Conn, l protocol.Launch, script string) {
	t.Helper()
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Message: `"` + script + `"`})
}

func mustSay(t *testing.T, w watcher, want string) {
	t.Helper()
	if l := next(t, want, w.ipc); string(l.Line) != `"`+want+`"` {
		t.Fatalf("got %s, want %q", l.Line, want)
	}
}

func mustListen(t *testing.T, w watcher, l protocol.Launch, port int) {
	t.Helper()
	want := protocol.Socket{Key: l.Key, Address: protocol.Address{Port: port}}
	if got := next(t, "listening", w.listening); got != want {
		t.Fatalf("listening: %+v, want %+v", got, want)
	}
}

func mustEnd(t *testing.T, c *protocol.Conn, w watcher, l protocol.Launch) {
	t.Helper()
	mustSignal(t, c, protocol.SignalReq{Key: l.Key, Signal: int(syscall.SIGKILL)})
	if e := next(t, "exit", w.exits); e.Key != l.Key {
		t.Fatalf("exit: %+v", e)
	}
}

func mustRelease(t *testing.T, c *protocol.Conn, r protocol.ReleaseReq) {
	t.Helper()
	if err := c.Release(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func TestHeldSocketOutlivesLaunchesAndDaemons(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, daemon, w := r.dial()
	first := r.web("first", 0, 1, port, "listen()")
	if got := mustLaunch(t, c, first); len(got.Held) != 0 {
		t.Errorf("born with %v", got.Held)
	}
	mustListen(t, w, first, port)
	if got := ask(t, mustConnect(t, port)); got != "first" {
		t.Errorf("answer: %q", got)
	}
	mustEnd(t, c, w, first)
	waiting := mustConnect(t, port)
	kill9(t, daemon)
	<-c.Done()
	c, _, w = r.dial()
	list, err := c.List(t.Context())
	if want := []protocol.Address{{Port: port}}; err != nil || len(list) != 1 || !reflect.DeepEqual(list[0].Listening, want) || list[0].Drained {
		t.Errorf("List: %+v, %v", list, err)
	}
	if err := c.Ack(t.Context(), first.Key); err != nil {
		t.Fatal(err)
	}
	second := r.web("second", 0, 2, port, "listen()")
	if got := mustLaunch(t, c, second); !reflect.DeepEqual(got.Held, []protocol.Address{{Port: port}}) {
		t.Errorf("born with %v", got.Held)
	}
	mustListen(t, w, second, port)
	mustRelease(t, c, protocol.ReleaseReq{App: "web", Before: 2})
	if got := ask(t, waiting); got != "second" {
		t.Errorf("answer: %q", got)
	}
	mustSignal(t, c, protocol.SignalReq{Key: second.Key, Message: `{"cmd":"NODE_DEVSTACK","drain":true}`})
	if k := next(t, "drained", w.drained); k != second.Key {
		t.Errorf("drained: %+v", k)
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 1 || !list[0].Drained {
		t.Errorf("List: %+v, %v", list, err)
	}
	mustEnd(t, c, w, second)
	mustConnect(t, port)
	mustRelease(t, c, protocol.ReleaseReq{App: "web"})
	mustRefuse(t, port)
	if strings.Contains(mustRead(t, filepath.Join(r.opts.StateDir, "journal")), "held") {
		t.Error("the journal tells of sockets")
	}
}

func TestReleaseBeforeAnythingIsHeld(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	mustRelease(t, c, protocol.ReleaseReq{App: "web"})
	late := r.web("late", 0, 1, port, "process.send('up')")
	mustLaunch(t, c, late)
	mustSay(t, w, "up")
	mustRelease(t, c, protocol.ReleaseReq{App: "web"})
	tell(t, c, late, "listen()") // claims nothing any more
	mustListen(t, w, late, port)
	mustEnd(t, c, w, late)
	mustRefuse(t, port)
}

func TestShutdownClosesHeldSockets(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	l := r.web("web", 0, 1, port, "listen()")
	mustLaunch(t, c, l)
	mustListen(t, w, l, port)
	mustEnd(t, c, w, l)
	mustConnect(t, port)
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, port)
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	a := r.web("a", 0, 1, port, "server.listen(address.port, () => process.send('bound'))")
	mustLaunch(t, c, a)
	mustSay(t, w, "bound")
	b := r.web("b", 1, 1, port, "listen()")
	mustLaunch(t, c, b)
	mustSay(t, w, "EADDRINUSE")
	tell(t, c, b, "want(); process.send('asked')") // parked until a reports
	mustSay(t, w, "asked")
	tell(t, c, a, "report()")
	mustListen(t, w, a, port)
	mustSay(t, w, "held")
	mustListen(t, w, b, port)
	mustEnd(t, c, w, a)
	if got := ask(t, mustConnect(t, port)); got != "b" {
		t.Errorf("answer: %q", got)
	}
}

func TestWantWhatNobodyHolds(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	a := r.web("a", 0, 1, port, "want()")
	mustLaunch(t, c, a)
	mustSay(t, w, "free")
	b := r.web("b", 1, 1, port, "want()") // a runs and might report
	mustLaunch(t, c, b)
	mustSay(t, w, "free")
	plain := r.web("plain", 2, 1, port, "listen(); want()")
	plain.Hold = nil
	mustLaunch(t, c, plain)
	mustSay(t, w, "free")
	if got := ask(t, mustConnect(t, port)); got != "plain" {
		t.Errorf("answer: %q", got)
	}
	mustEnd(t, c, w, plain)
	mustRefuse(t, port)
}

func TestWantUnderAnotherHost(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	a := r.web("a", 0, 1, port, "listen()")
	mustLaunch(t, c, a)
	mustListen(t, w, a, port)
	mustEnd(t, c, w, a)
	b := r.web("b", 0, 2, port, "fs.closeSync(held[0].fd); held.length = 0; address.host = '127.0.0.1'; want()")
	mustLaunch(t, c, b)
	mustSay(t, w, "free")
	tell(t, c, b, "server.listen(address.port, address.host, report)")
	want := protocol.Socket{Key: b.Key, Address: protocol.Address{Host: "127.0.0.1", Port: port}}
	if got := next(t, "listening", w.listening); got != want {
		t.Errorf("listening: %+v", got)
	}
}

func TestForeignHandlesAndLongMessages(t *testing.T) {
	t.Parallel()
	r, port := newRig(t), freeport.Get(t)
	c, _, w := r.dial()
	l := r.web("web", 0, 1, port, `other.listen(0, () => {
		process.send('a server', other)
		process.send('x'.repeat(100000), other)
		process.send('x'.repeat(100000))
		listen()
		server.on('listening', () => { tell({ listening: { host: '', port: 1 } }, other._handle); process.send('after') })
	})`)
	mustLaunch(t, c, l)
	mustListen(t, w, l, port)
	mustSay(t, w, "after")
	mustEnd(t, c, w, l)
	second := r.web("second", 0, 2, port, "listen()")
	if got := mustLaunch(t, c, second); !reflect.DeepEqual(got.Held, []protocol.Address{{Port: port}}) {
		t.Errorf("born with %v", got.Held)
	}
	mustListen(t, w, second, port)
	if got := ask(t, mustConnect(t, port)); got != "second" {
		t.Errorf("answer: %q", got)
	}
}
