package node

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"devstack/bench/freeport"
)

// draining is an app that answers /slow at SIGUSR2, and says when the shim has closed its listening handle.
const draining = `const late = []
	process.on('SIGUSR2', () => late.forEach(r => r.end('late')))
	const s = SERVER((q, r) => {
		console.log('request', q.url)
		if (q.url === '/slow') late.push(r)
		else r.end('now')
	})
	s.listen(PORT, () => console.log('up'))
	const look = setInterval(() => {
		if (s._handle && s._handle.fd >= 0) return
		clearInterval(look)
		console.log('closed', s.address().port, s.listening)
	}, 5)
	look.unref()
	`

const plainHTTP = "require('http').createServer"

// server starts a draining app and waits until it listens.
func (k *keeper) server(create string, port int, more string) *process {
	k.t.Helper()
	p := k.run(strings.NewReplacer("SERVER", create, "PORT", fmt.Sprint(port)).Replace(draining + more))
	p.expect("up")
	p.expect("listening")
	return p
}

// drain asks the process to drain and waits until it has begun.
func (p *process) drain(port int) {
	p.t.Helper()
	p.say(Drain, nil)
	p.expect(fmt.Sprintf("closed %d true", port))
}

func send(t *testing.T, conn net.Conn, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
}

// TestDrain has one client that is idle, one that asks again, one whose answer takes long, and one that comes too late.
func TestDrain(t *testing.T) {
	for name, create := range map[string]string{
		"http": plainHTTP, "https": "(f => require('https').createServer(" + certificate(t) + ", f))",
	} {
		t.Run(name, func(t *testing.T) {
			k, port := newKeeper(t), freeport.Get(t)
			p := k.server(create, port, "")
			connect := func() net.Conn {
				conn := dial(t, "localhost", port)
				if name == "https" {
					return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // its certificate is our own
				}
				return conn
			}
			idle, again, slow := connect(), connect(), connect()
			for _, conn := range []net.Conn{idle, again} {
				if head := ask(t, conn, "/"); strings.Contains(head, "close") {
					t.Fatalf("announces a close before it drains: %q", head)
				}
			}
			send(t, slow, "/slow")
			p.expect("request /slow")

			p.drain(port)
			if head := ask(t, again, "/again"); !strings.Contains(head, "Connection: close") {
				t.Errorf("does not announce the close: %q", head)
			}
			late := connect()
			if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("an idle connection ends with %v", err)
			}
			p.never("drained")
			if err := p.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			if head := answer(t, bufio.NewReader(slow)); !strings.Contains(head, "Connection: close") {
				t.Errorf("the late answer does not announce the close: %q", head)
			}
			p.expect("drained")
			if exit := p.kill(syscall.SIGTERM); exit != "exit signal: terminated" {
				t.Errorf("it did not stay until the signal: %s", exit)
			}
			p.never("request /late")

			next := k.server(create, port, "")
			ask(t, late, "/late")
			next.expect("request /late")
		})
	}
}

// TestDrainClosedByApp has an app that closes its server at SIGTERM: it sees no error, and ends by itself.
func TestDrainClosedByApp(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	p := k.server(plainHTTP, port, `process.once('SIGTERM', () => s.close(e => console.log('bye', e)))`)
	p.drain(port)
	p.expect("drained")
	if exit := p.kill(syscall.SIGTERM); exit != "exit exit status 0" {
		t.Error(exit)
	}
	p.expect("bye undefined")
}

// TestDrainNobody: nobody is connected and nothing keeps the loop busy, but the process waits for its signal.
func TestDrainNobody(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	p := k.server(plainHTTP, port, "")
	p.drain(port)
	p.expect("drained")
	if exit := p.kill(syscall.SIGTERM); exit != "exit signal: terminated" {
		t.Error(exit)
	}
	quiet := k.run(`setInterval(() => {}, 1000); console.log('up')`)
	quiet.expect("up")
	quiet.say(Drain, nil)
	quiet.expect("drained")
}

// TestDrainSignalNeverComes ends by itself some time after it has drained, as an app with an empty loop does.
func TestDrainSignalNeverComes(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	p := k.server(plainHTTP, port, "")
	p.drain(port)
	p.expect("drained")
	p.expect("exit exit status 0")
}

// TestDrainHTTP2 has a stream open while the session is asked to leave.
func TestDrainHTTP2(t *testing.T) {
	for name, create := range map[string]string{
		"clear":  "require('http2').createServer",
		"secure": "(f => require('http2').createSecureServer(" + certificate(t) + ", f))",
	} {
		t.Run(name, func(t *testing.T) {
			k, port := newKeeper(t), freeport.Get(t)
			p := k.server(create, port, "")
			protocols := new(http.Protocols)
			protocols.SetHTTP2(name == "secure")
			protocols.SetUnencryptedHTTP2(name == "clear")
			transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			url := fmt.Sprintf("%s://localhost:%d", map[string]string{"clear": "http", "secure": "https"}[name], port)
			slow := make(chan error, 1)
			go func() { slow <- get(client, url+"/slow", "late") }()
			p.expect("request /slow")

			p.drain(port)
			next := k.server(create, port, "")
			if err := get(client, url+"/new", "now"); err != nil { // over a new connection: the old one takes no more
				t.Error(err)
			}
			next.expect("request /new")
			p.never("drained")
			if err := p.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
			if err := <-slow; err != nil {
				t.Error(err)
			}
			p.expect("drained")
			p.kill(syscall.SIGTERM)
		})
	}
}

func get(client *http.Client, url, want string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (string(body) != want || response.ProtoMajor != 2) {
		err = errors.New(response.Proto + ": " + string(body))
	}
	return err
}
