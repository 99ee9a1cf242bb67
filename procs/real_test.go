package procs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	parent "devstack/procs/keeper"
	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/stack"
	"devstack/view"
)

// The test binary is also the keeper and the daemon of these tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "keeper":
			if parent.Command(os.Args[2:]) != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "relay":
			relay()
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// relay is a daemon that lets one test be the daemon: it hands its connection to the keeper over, and stays until the
// test is over.
func relay() {
	l, err := keeper.Listener()
	if err != nil {
		return
	}
	up := os.NewFile(keeper.FDKeeper, "keeper")
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var first [1]byte
		if _, err := io.ReadFull(c, first[:]); err != nil {
			continue // somebody only looked whether we are here
		}
		if _, _, err := c.(*net.UnixConn).WriteMsgUnix(first[:], syscall.UnixRights(int(up.Fd())), nil); err != nil {
			return
		}
		up.Close()
		_, _ = io.Copy(io.Discard, c)
		return
	}
}

// project is a keeper with real processes, and a manager on it.
type project struct {
	t        *testing.T
	dir      string
	stateDir string
	conn     *keeper.Conn
	relay    net.Conn // the daemon that the keeper started lives as long as this

	mu      sync.Mutex
	manager *Manager
	changed chan struct{} // capacity 1
}

func newProject(t *testing.T) *project {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 6)
	rand.Read(id)
	home, err := os.MkdirTemp("", "procs") // short: the path of a socket is limited to 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	p := &project{t: t, dir: t.TempDir(), stateDir: filepath.Join(home, "state"), changed: make(chan struct{}, 1)}
	spawn := keeper.SpawnOptions{
		Self: self, Dir: p.dir, ID: hex.EncodeToString(id), StateDir: p.stateDir,
		Socket: filepath.Join(p.stateDir, "ctl.sock"), Daemon: []string{self, "relay"}, Env: os.Environ(),
	}
	if _, err := keeper.Spawn(spawn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.conn.Shutdown(ctx); err != nil {
			t.Errorf("cannot end the keeper: %v", err)
		}
		p.conn.Close()
		p.relay.Close()
		if err := keeper.WaitGone(ctx, p.dir, spawn.StateDir); err != nil {
			t.Errorf("the keeper does not go: %v", err)
		}
	})
	p.connect(spawn.Socket)
	p.newManager()
	return p
}

func (p *project) connect(socket string) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		p.t.Fatal(err)
	}
	p.relay = c
	if _, err := c.Write([]byte("?")); err != nil {
		p.t.Fatal(err)
	}
	var first [1]byte
	rights := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(first[:], rights)
	if err != nil {
		p.t.Fatal(err)
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		p.t.Fatalf("the relay has sent no descriptor: %v", err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		p.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "keeper")
	p.conn, err = keeper.Dial(f, keeper.Handler{
		Exited: func(e keeper.Exit) { p.current().Exited(e) },
		IPC:    func(l keeper.IPCLine) { p.current().IPC(l) },

		Listening: func(l keeper.Socket) { p.current().Listening(l) },
		Drained:   func(k keeper.Key) { p.current().Drained(k) },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, _, err := p.conn.Hello(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) current() *Manager {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.manager
}

func (p *project) newManager() *Manager {
	shim, err := node.Install(p.stateDir)
	if err != nil {
		p.t.Fatal(err)
	}
	m := NewManager(Options{Keeper: p.conn, Shim: shim, Publish: func(view.Event) {
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}})
	p.t.Cleanup(m.Close)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.manager = m
	return m
}

// until waits for notices until an app is as wanted.
func (p *project) until(app string, what string, ok func(Process) bool) Process {
	p.t.Helper()
	late := time.NewTimer(60 * time.Second)
	defer late.Stop()
	for {
		got, _ := p.current().Process(app, 0)
		if ok(got) {
			return got
		}
		select {
		case <-p.changed:
		case <-late.C:
			p.t.Fatalf("%s never got %s: %+v", app, what, got)
		}
	}
}

func (p *project) untilState(app string, s view.Status) Process {
	p.t.Helper()
	return p.until(app, string(s), func(got Process) bool { return got.Status == s })
}

func (p *project) untilReady(app string) Process {
	p.t.Helper()
	return p.until(app, "ready", func(got Process) bool { return got.Ready })
}

// app is a program with real logs and this environment.
func (p *project) app(name string, argv ...string) stack.App {
	app := testApp(name)
	app.Command, app.Cwd = argv, p.dir
	app.OutFile = filepath.Join(p.dir, "logs", name+"-out.log")
	app.ErrorFile = filepath.Join(p.dir, "logs", name+"-error.log")
	for _, kv := range os.Environ() {
		key, value, _ := strings.Cut(kv, "=")
		app.Environment = append(app.Environment, stack.Variable{Key: key, Value: value, Origin: "shell"})
	}
	return app
}

// script is a Node program.
func (p *project) script(name, source string) stack.App {
	app := p.app(name)
	app.Command, app.Interpreter = nil, "node"
	app.Script = filepath.Join(p.dir, name+".js")
	if err := os.WriteFile(app.Script, []byte(source), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return app
}

func (p *project) start(apps ...stack.App) {
	p.current().Apply(apps)
	for _, a := range apps {
		p.current().SetGate(a.Name, nil)
		p.current().Start(a.Name)
	}
}
