package node

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devstack/bench/freeport"
)

// certificate writes a pair of PEM files for localhost and returns what an app reads it with.
func certificate(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("{cert: require('fs').readFileSync('%[1]s/cert'), key: require('fs').readFileSync('%[1]s/key')}", dir)
}

// dial connects and fails the test if nobody listens.
func dial(t *testing.T, host string, port int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a request over a connection and returns the first line and the headers of the answer.
func ask(t *testing.T, conn net.Conn, path string) string {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	return answer(t, bufio.NewReader(conn))
}

func answer(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no answer: %v after %q", err, head.String())
		}
		if line == "\r\n" {
			return head.String()
		}
		head.WriteString(line)
	}
}

// TestSocketOutlivesLaunch kills an app: a connection made before the next launch is answered by the next launch.
func TestSocketOutlivesLaunch(t *testing.T) {
	pair := certificate(t)
	for _, tc := range []struct {
		name, server, listen, host string
		tls                        bool
	}{
		{"http", `require('http').createServer((q, r) => r.end())`, `s.listen(PORT, done)`, "", false},
		{"https", `require('https').createServer(` + pair + `, (q, r) => r.end())`, `s.listen({port: PORT}, done)`, "", true},
		{"net", `require('net').createServer(c => c.once('data', () => c.end('HTTP/1.1 200 OK\r\n\r\n')))`, `s.listen('PORT', 10, done)`, "", false},
		{"tls", `require('tls').createServer(` + pair + `, c => c.once('data', () => c.end('HTTP/1.1 200 OK\r\n\r\n')))`, `s.listen(PORT, '127.0.0.1', 10, done)`, "127.0.0.1", true},
		{"http2 with HTTP/1", `require('http2').createSecureServer({allowHTTP1: true, ...` + pair + `}, (q, r) => r.end())`, `s.on('listening', done); s.listen(PORT)`, "", true},
		{"options", `require('http').createServer((q, r) => r.end())`, `s.listen({port: 'PORT', host: '0.0.0.0', backlog: 10, signal: new AbortController().signal}, done)`, "0.0.0.0", false},
		{"localhost", `require('http').createServer((q, r) => r.end())`, `s.listen(PORT, 'localhost', done)`, "localhost", false},
		{"much later", `require('http').createServer((q, r) => r.end())`, `setTimeout(() => s.listen(PORT, done), 100)`, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, port := newKeeper(t), freeport.Get(t)
			source := `let calls = 0
				const done = () => console.log('up', ++calls, s.address().port, s.listening, s.listenerCount('listening'))
				const s = ` + tc.server + `
				s.on('error', e => console.log('error', e.code))
				` + strings.ReplaceAll(tc.listen, "PORT", fmt.Sprint(port))
			first := k.run(source)
			reported, up := fmt.Sprintf("listening %s:%d", tc.host, port), fmt.Sprintf("up 1 %d true ", port)
			first.expect(reported)
			atFirst := first.expect(up)
			first.kill(syscall.SIGKILL)

			host := tc.host
			if host == "" {
				host = "localhost"
			}
			conn := dial(t, host, port)
			second := k.run(source)
			second.expect(reported)
			if inherited := second.expect(up); inherited != atFirst {
				t.Errorf("%q with its own socket, %q with the inherited one", atFirst, inherited)
			}
			if tc.tls {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // its certificate is our own
			}
			if head := ask(t, conn, "/"); !strings.HasPrefix(head, "HTTP/1.1 200") {
				t.Errorf("answer is %q", head)
			}
			second.never("want")
			second.never("error")
		})
	}
}

// TestAddressRightAfterListen shows that an inherited socket is there as soon as one of its own would be.
func TestAddressRightAfterListen(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	source := fmt.Sprintf(`const s = require('net').createServer().listen(%d)
		console.log('address', JSON.stringify(s.address()), s._connectionKey)`, port)
	first := k.run(source)
	address := first.expect("address")
	first.expect("listening")
	first.kill(syscall.SIGKILL)
	if again := k.run(source).expect("address"); again != address {
		t.Errorf("%q at first, then %q", address, again)
	}
}

// TestTwoPorts also shows that hosts are respected.
func TestTwoPorts(t *testing.T) {
	k, one, two := newKeeper(t), freeport.Get(t), freeport.Get(t)
	source := fmt.Sprintf(`for (const [port, host] of [[%d], [%d, '127.0.0.1']])
		require('http').createServer((q, r) => r.setHeader('at', port).end()).listen(port, host, () => console.log('up', port))`, one, two)
	for range 2 {
		p := k.run(source)
		p.expect(fmt.Sprintf("listening :%d", one))
		p.expect(fmt.Sprintf("listening 127.0.0.1:%d", two))
		for _, port := range []int{one, two} {
			p.expect(fmt.Sprint("up ", port))
			if head := ask(t, dial(t, "127.0.0.1", port), "/"); !strings.Contains(head, fmt.Sprintf("at: %d\r\n", port)) {
				t.Errorf("port %d answers %q", port, head)
			}
		}
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", two)); err == nil {
			conn.Close()
			t.Error("a socket of 127.0.0.1 can be reached at another address")
		}
		p.kill(syscall.SIGKILL)
	}
}

func TestCloseAndListenAgain(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	source := fmt.Sprintf(`const s = require('http').createServer((q, r) => r.end())
		let round = 0
		s.on('listening', () => { console.log('up', ++round); if (round < 3) s.close(() => s.listen(%d)) })
		s.on('error', e => console.log('error', e.code))
		s.listen(%[1]d)`, port)
	for range 2 {
		p := k.run(source)
		p.expect("up 3")
		ask(t, dial(t, "localhost", port), "/")
		p.never("error")
		p.kill(syscall.SIGKILL)
	}
}

// TestWant starts a second launch while the first listens, born without the socket.
func TestWant(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	source := fmt.Sprintf(`const s = require('http').createServer((q, r) => r.end())
		const {AsyncLocalStorage} = require('async_hooks'), storage = new AsyncLocalStorage()
		s.on('error', e => console.log('error', e.code))
		storage.run('kept', () => s.listen(%d, () => console.log('up', s.address().port, storage.getStore())))`, port)
	first := k.run(source)
	first.expect("up")
	first.expect("listening")
	file := filepath.Join(t.TempDir(), "app.cjs")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	second := k.launch(false, file)
	second.expect("want")
	second.expect(fmt.Sprintf("up %d kept", port))
	second.expect("listening")
	second.never("error")
	first.kill(syscall.SIGKILL)
	ask(t, dial(t, "localhost", port), "/")
}

// TestWantNothing has the address taken by a stranger: the app gets Node's own error, once.
func TestWantNothing(t *testing.T) {
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	port := stranger.Addr().(*net.TCPAddr).Port
	p := newKeeper(t).run(fmt.Sprintf(`const s = require('http').createServer()
		s.on('error', e => console.log('error', e.message)).listen(%d, '127.0.0.1')`, port))
	p.expect("want")
	p.expect(fmt.Sprintf("error listen EADDRINUSE: address already in use 127.0.0.1:%d", port))
	p.expect("exit exit status 0")
	p.never("error")
	p.never("want")
}

// TestClosedWhileWaiting closes a server before it gets the socket it asked for.
func TestClosedWhileWaiting(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	first := k.run(fmt.Sprintf(`require('http').createServer().listen(%d)`, port))
	first.expect("listening")
	file := filepath.Join(t.TempDir(), "app.cjs")
	source := fmt.Sprintf(`const s = require('http').createServer().on('listening', () => console.log('up')).listen(%d); s.close()`, port)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	second := k.launch(false, file)
	second.expect("want")
	second.expect("exit exit status 0")
	second.never("up")
}
