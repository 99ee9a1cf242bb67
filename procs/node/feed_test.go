package node

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"devstack/bench/freeport"
)

// feed gives the process one end of a loopback connection, as if it had accepted it at host and port.
func (p *process) feed(host string, port int) net.Conn {
	p.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer listener.Close()
	conn := dial(p.t, "127.0.0.1", listener.Addr().(*net.TCPAddr).Port)
	accepted, err := listener.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	defer accepted.Close()
	file, err := accepted.(*net.TCPConn).File()
	if err != nil {
		p.t.Fatal(err)
	}
	defer file.Close()
	p.say(fmt.Sprintf(`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_DEVSTACK","connection":{"host":%q,"port":%d}}}`, host, port), file)
	return conn
}

func TestFeed(t *testing.T) {
	for name, create := range map[string]string{
		"http": plainHTTP, "https": "(f => require('https').createServer(" + certificate(t) + ", f))",
	} {
		t.Run(name, func(t *testing.T) {
			k, port := newKeeper(t), freeport.Get(t)
			p, other := k.server(create, port, ""), k.server(create, port, "")
			for i := range 5 {
				conn := p.feed("", port)
				if name == "https" {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // its certificate is our own
				}
				if head := ask(t, conn, fmt.Sprint("/fed", i)); !strings.HasPrefix(head, "HTTP/1.1 200") {
					t.Error(head)
				}
				p.expect(fmt.Sprint("request /fed", i))
			}
			other.never("request")
			if n, err := p.feed("", port+1).Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes from an address where nobody listens", n)
			}
		})
	}
}

// clustered is Node's own cluster: the primary accepts for two workers. They stop by themselves without it.
const clustered = `const cluster = require('cluster')
	if (cluster.isPrimary) {
		for (let i = 0; i < 2; i++) cluster.fork()
		let up = 0
		cluster.on('listening', () => ++up === 2 && console.log('up'))
		process.on('SIGUSR2', () => cluster.disconnect(() => process.exit(0)))
	} else {
		require('http').createServer((q, r) => {
			console.log('request', q.url, process.env.NODE_OPTIONS)
			r.end('worker ' + cluster.worker.id)
		}).listen(PORT)
	}`

func TestCluster(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	app := strings.ReplaceAll(clustered, "PORT", fmt.Sprint(port))
	first := k.run(app)
	first.expect(fmt.Sprintf("listening :%d", port))
	first.expect("up")
	ask(t, dial(t, "localhost", port), "/dialled")
	first.expect("request /dialled undefined")
	ask(t, first.feed("", port), "/fed")
	first.expect("request /fed undefined")

	next := k.run(app)
	next.expect(fmt.Sprintf("listening :%d", port))
	next.expect("up")
	first.say(Drain, nil)
	if n, err := first.feed("", port).Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from a primary that accepts no more", n)
	}
	for i := range 10 {
		ask(t, dial(t, "localhost", port), fmt.Sprint("/later", i))
		next.expect(fmt.Sprint("request /later", i))
	}
	first.never("drained")
	first.kill(syscall.SIGUSR2)
	next.never("want")

	next.kill(syscall.SIGKILL)
	waiting := dial(t, "localhost", port)
	last := k.run(app)
	ask(t, waiting, "/waited")
	last.expect("request /waited undefined")
	last.kill(syscall.SIGUSR2)
}
