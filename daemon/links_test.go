package daemon

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// serves accepts on a port of its own until the test ends.
func serves(t *testing.T, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

// A URL is what answers HTTP, an inspector is called one and comes last, and the port that is declared comes first.
func TestLinksAreWhatAnswers(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	_, text, _ := net.SplitHostPort(page.Listener.Addr().String())
	web, _ := strconv.Atoi(text)
	inspector := serves(t, func(c net.Conn) {
		defer c.Close()
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/html; charset=UTF-8\r\n\r\nWebSockets request was expected\r\n")
	})
	raw := serves(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n"); c.Close() })
	silent := serves(t, func(net.Conn) {})
	gone, _ := net.Listen("tcp", "127.0.0.1:0")
	unused := gone.Addr().(*net.TCPAddr).Port
	gone.Close()

	process := func(name string, ports ...int) procs.Process {
		p := processOf(view.Process{Name: name, Pid: new(1), Status: view.Online, Ready: true})
		for _, port := range ports {
			p.Ports = append(p.Ports, view.Address{Host: "127.0.0.1", Port: port})
		}
		return p
	}
	st := &stack.Stack{Apps: []stack.App{
		{Name: "web", Port: web},
		{Name: "worker"},
		{Name: "slow", Port: silent},
		{Name: "hidden", Port: web},
		{Name: "declared", Port: unused},
		{Name: "checked", Port: raw, Healthcheck: &stack.Healthcheck{HTTP: "/up"}},
	}}
	got := links(t.Context(), st, []procs.Process{
		process("web", inspector, raw, web), process("worker", silent, raw), process("slow", silent), process("hidden"), process("declared"), process("checked", raw),
	})
	at := func(port int) view.Text { return view.Text("http://localhost:" + strconv.Itoa(port)) }
	want := []api.Link{
		{Name: "web", Port: web, Kind: "http", URL: at(web)},
		{Name: "slow", Port: silent, Kind: "http", URL: at(silent)},
		{Name: "hidden", Port: web, Kind: "http", URL: at(web)},
		{Name: "checked", Port: raw, Kind: "http", URL: at(raw)},
		{Name: "web", Port: inspector, Kind: "inspector"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The result of the first up shows what is listened on, also behind a wrapper, and where to open it.
func TestTheFirstResultHasPortsAndLinks(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	r := newProject(t, strings.ReplaceAll(`
apps:
  - name: first
    command: "exec sleep 1000"
  - name: web
    command: "node -e 'require(\"http\").createServer((q, s) => s.end()).listen(PORT, \"127.0.0.1\")'; true"
    healthcheck: {http: "http://127.0.0.1:PORT/"}
`, "PORT", port))
	result := r.mustUp()
	for _, p := range result.State.Processes {
		if p.Name == "web" && (len(p.Ports) != 1 || strconv.Itoa(p.Ports[0].Port) != port) {
			t.Errorf("ports %v, not %s", p.Ports, port)
		}
	}
	if len(result.Links) != 1 || string(result.Links[0].URL) != "http://localhost:"+port {
		t.Errorf("links %+v", result.Links)
	}
	if d := r.process("web"); len(d.Links) != 1 || len(d.Ports) != 1 {
		t.Errorf("described: links %+v, ports %v", d.Links, d.Ports)
	}
}
