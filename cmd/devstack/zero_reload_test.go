package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/bench/load"
)

// A new version that does not work ends the reload with 7 and its last lines. The old one has never stopped to serve.
func TestReloadToAVersionThatFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script, says string
	}{
		{"throws at boot", "throw new Error('no such table: users')", "no such table: users"},
		{"never listens", "console.error('waiting for a lock'); setInterval(() => {}, 1000)", "waiting for a lock"},
		{"dies after 300 ms", load.Express + "setTimeout(() => { console.error('lost the lock'); process.exit(3) }, 300)", "lost the lock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, load.Express, "listen_timeout: 3s, "+forEver)
			l := s.load()
			before := s.process("web")
			s.write("app.js", c.script)
			r := s.run("reload")
			after := s.process("web")
			if r.code != 7 || !strings.Contains(r.stderr, c.says) {
				t.Errorf("not 7 with the last lines: %s", r)
			}
			if !after.Ready || after.Status != "online" || after.Pid == nil || *after.Pid != *before.Pid || after.Restarts != before.Restarts {
				t.Errorf("right after the reload: %+v", after)
			}
			if left := s.launched("web"); len(left) != 1 || left[0].pid != *before.Pid {
				t.Errorf("processes: %+v", left)
			}
			nothingFailed(t, l)

			s.write("app.js", load.Express)
			l = s.load()
			s.must("reload")
			nothingFailed(t, l)
		})
	}
}

// A daemon that dies in the middle of a reload: nobody notices, and there is one process afterwards, the old or the new.
func TestFaultDaemonKilledDuringReload(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]func(s *site, l *load.Load, old int){
		"new process launched": func(s *site, _ *load.Load, _ int) {
			waitFor(s.t, "a second process", func() (bool, any) {
				now := s.launched("web")
				return len(now) == 2, now
			})
		},
		"new process serves": func(s *site, l *load.Load, old int) { answeredBy(s.t, l, old) },
		"old process drains": func(s *site, _ *load.Load, old int) {
			waitFor(s.t, "the new process in the place of the old", func() (bool, any) {
				row := s.process("web")
				return row.Pid != nil && *row.Pid != old, row
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, load.Express, forEver)
			l, old := s.load(), s.instances(1)[0]
			daemon := s.ps().Daemon.Pid
			ended := s.background("reload")
			until(s, l, old)
			kill(t, daemon)
			t.Log(<-ended)
			waitFor(t, "one process, which is ready", func() (bool, any) {
				state, now := s.ps(), s.launched("web")
				return allOnline(state) && len(now) == 1 && slices.Contains(webPids(state), now[0].pid), now
			})
			nothingFailed(t, l)
			if servers := l.Report().Servers; len(servers) > 2 {
				t.Errorf("more than an old and a new process have answered: %v", servers)
			}
			s.must("reload")
		})
	}
}

// Many who reload at once: there is never more than one process too many.
func TestReloadsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, load.Express, "instances: 2, "+forEver)
	l := s.load()
	old := s.instances(2)
	all := make(chan result)
	for range 5 {
		ended := s.background("reload")
		go func() { all <- <-ended }()
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for left := 5; left > 0; {
		select {
		case r := <-all:
			left--
			if r.code != 0 {
				t.Error(r)
			}
		case <-again.C:
			if now := s.launched("web"); len(now) > 3 {
				t.Fatalf("%d processes of 2 instances: %+v", len(now), now)
			}
		}
	}
	for _, pid := range s.instances(2) {
		if slices.Contains(old, pid) {
			t.Errorf("%d still runs", pid)
		}
	}
	nothingFailed(t, l)
}

// talkative is an Express app with connections that stay: /upgrade echoes, as a WebSocket does, and /slow takes 3 s for
// the second half of its answer.
const talkative = `
const express = require('express')
const app = express()
const who = JSON.stringify({ pid: process.pid })
app.get('/', (request, response) => response.type('json').send(who))
app.get('/slow', (request, response) => {
  response.write('first ')
  setTimeout(() => response.end('second'), 3000)
})
const server = app.listen(process.env.PORT)
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  socket.pipe(socket)
})
`

// upgraded is a connection that echoes lines.
type upgraded struct {
	net.Conn
	in *bufio.Reader
}

func (s *site) upgrade() *upgraded {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(deadline(s.t)); err != nil {
		s.t.Fatal(err)
	}
	u := &upgraded{conn, bufio.NewReader(conn)}
	if _, err := fmt.Fprintf(conn, "GET /upgrade HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", s.address); err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.ReadResponse(u.in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("no upgrade: %+v, %v", resp, err)
	}
	return u
}

func (u *upgraded) echo(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(u, line+"\n"); err != nil {
		t.Error(err)
	}
	if got, err := u.in.ReadString('\n'); err != nil || got != line+"\n" {
		t.Errorf("the echo of %q is %q, %v", line, got, err)
	}
}

// What is under way when a reload begins is finished by the old process.
func TestReloadWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := newSite(t, talkative, "kill_timeout: 30s, "+forEver)
	l, old := s.load(), s.instances(1)[0]
	socket := s.upgrade()
	slow, err := http.Get("http://" + s.address + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	ended := s.background("reload")
	answeredBy(t, l, old)
	waitFor(t, "the new process in the place of the old", func() (bool, any) {
		row := s.process("web")
		return row.Ready && row.Pid != nil && *row.Pid != old, row
	})
	socket.echo(t, "still here")
	if body, err := io.ReadAll(slow.Body); err != nil || string(body) != "first second" {
		t.Errorf("the slow answer is %q, %v", body, err)
	}
	socket.echo(t, "and here")
	select {
	case r := <-ended:
		t.Errorf("the reload has ended while somebody was connected to the old process: %s", r)
	default:
	}
	socket.Close()
	if r := <-ended; r.code != 0 {
		t.Error(r)
	}
	nothingFailed(t, l)
}

// Nobody waits for ever: after kill_timeout the old process gets its signal, whoever is connected.
func TestReloadDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	s := newSite(t, talkative, "kill_timeout: 2s, "+forEver)
	l, old := s.load(), s.instances(1)[0]
	socket := s.upgrade()
	s.must("reload")
	if now := s.instances(1); slices.Contains(now, old) {
		t.Errorf("%d still runs", old)
	}
	if line, err := socket.in.ReadString('\n'); err == nil {
		t.Errorf("the old process says %q", line)
	}
	nothingFailed(t, l)
}

// Who is stopped, or has given up, refuses connections; who only crashes does not.
func TestNobodyWaitsForWhatDoesNotCome(t *testing.T) {
	t.Parallel()
	s := newSite(t, load.Express, "instances: 2, max_restarts: 1, restart_delay: 0")
	s.must("stop", "web")
	s.isRefused()
	s.must("start", "web")
	nothingFailed(t, s.load())
	waitFor(t, "both given up", func() (bool, any) {
		state := s.ps()
		for _, pid := range webPids(state) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended since
		}
		for _, row := range state.Processes {
			if row.Status != "errored" {
				return false, state
			}
		}
		return true, state
	})
	s.isRefused()
	s.must("start", "web")
	nothingFailed(t, s.load())
	s.must("delete", "web")
	s.isRefused()
}
