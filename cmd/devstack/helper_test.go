package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/view"
)

// now is the time of all rendering tests.
func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func ptr[T any](v T) *T { return &v }

// bed is a Factory in a project of its own, whose daemon is handler.
type bed struct {
	*Factory
	out, err *bytes.Buffer
	dir      string
	sibling  [][]string // what devstackd was asked
	answer   string     // what devstackd writes to standard output
	spawned  int
	waited   int
}

// newBed makes a project; a nil handler means that nothing runs.
func newBed(t *testing.T, handler http.HandlerFunc) *bed {
	t.Helper()
	home, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ecosystem.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bed{dir: dir}
	var streams *IOStreams
	streams, b.out, b.err = testStreams()
	b.Factory = &Factory{
		IO: streams, Environ: func() []string { return []string{"A=1"} },
		Getenv:      func(key string) string { return map[string]string{"DEVSTACK_HOME": home}[key] },
		Spawn:       func(*project) error { b.spawned++; return nil },
		WaitGone:    func(context.Context, string) error { b.waited++; return nil },
		WaitLeaving: func(context.Context, string) error { b.waited++; return nil },
	}
	b.Sibling = func(_ context.Context, args []string) error { b.sibling = append(b.sibling, args); return nil }
	b.SiblingOutput = func(ctx context.Context, args []string) ([]byte, error) {
		return []byte(b.answer), b.Sibling(ctx, args)
	}
	if handler != nil {
		b.listen(t, home, handler)
	}
	return b
}

func (b *bed) listen(t *testing.T, home string, handler http.HandlerFunc) {
	t.Helper()
	location, err := api.Locate(b.dir, home)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(location.Socket), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", location.Socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
}

// run executes a command line in the project.
func (b *bed) run(args ...string) api.Code {
	return run(append([]string{"-C", b.dir}, args...), b.Factory)
}

// send answers with values as newline-delimited JSON.
func send(w http.ResponseWriter, values ...any) {
	for _, v := range values {
		_ = json.NewEncoder(w).Encode(v)
	}
}

// update writes the golden files: go test ./cmd/devstack -update.
var update = flag.Bool("update", false, "write the golden files")

// golden compares got with testdata/golden/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as expected.\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

func port(host string, hostPort, containerPort int, protocol string) view.PublishedPort {
	return view.PublishedPort{HostIP: host, HostPort: hostPort, ContainerPort: containerPort, Protocol: protocol}
}
