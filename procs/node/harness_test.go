package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// keeper plays the part of the process that holds an app's sockets, for real Node processes.
type keeper struct {
	t    *testing.T
	shim string
	mu   sync.Mutex
	held map[address]*os.File

	successor bool // the next launches are successors
}

type address struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	path, err := Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{t: t, shim: path, held: map[address]*os.File{}}
	t.Cleanup(func() {
		for _, file := range k.held {
			file.Close()
		}
	})
	return k
}

// process is one launch of an app.
type process struct {
	t       *testing.T
	k       *keeper
	cmd     *exec.Cmd
	channel *net.UnixConn
	events  chan string // what it prints, "ipc "+what it sends, "listening HOST:PORT", "drained", "exit CODE"
	unread  []string
}

// run starts node with the source of an app, with ORIGIN in its environment and the sockets that are held now.
func (k *keeper) run(source string, args ...string) *process {
	k.t.Helper()
	file := filepath.Join(k.t.TempDir(), "app.cjs")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return k.launch(true, append(args, file)...)
}

// launch starts node; bornWith says whether it gets the sockets that are held now.
func (k *keeper) launch(bornWith bool, args ...string) *process {
	k.t.Helper()
	syscall.ForkLock.RLock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		k.t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.Command("node", args...)
	files, born := k.inheritance(bornWith)
	cmd.ExtraFiles = append(files, theirs)
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "NODE_") })
	cmd.Env = append(Preload(env, k.shim), "DEVSTACK_HELD="+born, fmt.Sprint("NODE_CHANNEL_FD=", 3+len(files)))
	if k.successor {
		cmd.Env = append(cmd.Env, Successor)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	p := &process{t: k.t, k: k, cmd: cmd, channel: conn.(*net.UnixConn), events: make(chan string, 10000)}
	gone := make(chan struct{})
	go p.read()
	go func() {
		defer close(gone)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			p.events <- lines.Text()
		}
		_ = cmd.Wait()
		p.events <- fmt.Sprintf("exit %v", cmd.ProcessState)
	}()
	k.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-gone
		_ = p.channel.Close()
		if k.t.Failed() && stderr.Len() > 0 {
			k.t.Logf("stderr of %d:\n%s", cmd.Process.Pid, stderr.String())
		}
	})
	return p
}

// inheritance is what a launch is born with: files for descriptor 3 and on, and DEVSTACK_HELD.
func (k *keeper) inheritance(bornWith bool) ([]*os.File, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var files []*os.File
	list := []map[string]any{}
	for where, file := range k.held {
		if bornWith {
			list = append(list, map[string]any{"host": where.Host, "port": where.Port, "fd": 3 + len(files)})
			files = append(files, file)
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		k.t.Fatal(err)
	}
	return files, string(text)
}

// message is a line of the IPC channel, as far as it is about sockets.
type message struct {
	Cmd       string   `json:"cmd"`
	Msg       *message `json:"msg"`
	Listening *address `json:"listening"`
	Want      *address `json:"want"`
	ID        int      `json:"id"`
	Drained   bool     `json:"drained"`
}

// read plays the keeper's side of the channel until the process closes its own.
func (p *process) read() {
	var text []byte
	var fds []int
	chunk, oob := make([]byte, 64<<10), make([]byte, 1<<10)
	for {
		n, oobn, _, _, err := p.channel.ReadMsgUnix(chunk, oob)
		if err != nil || n == 0 {
			return
		}
		controls, _ := syscall.ParseSocketControlMessage(oob[:oobn])
		for _, control := range controls {
			more, _ := syscall.ParseUnixRights(&control)
			fds = append(fds, more...)
		}
		text = append(text, chunk[:n]...)
		for {
			line, rest, found := bytes.Cut(text, []byte("\n"))
			if !found {
				break
			}
			text = rest
			fds = p.got(line, fds)
		}
	}
}

// got handles one line and returns the descriptors that do not belong to it.
func (p *process) got(line []byte, fds []int) []int {
	var m message
	if json.Unmarshal(line, &m) != nil || !strings.HasPrefix(m.Cmd, "NODE_") {
		p.events <- "ipc " + string(line)
		return fds
	}
	if m.Cmd == "NODE_HANDLE" && len(fds) > 0 {
		p.say(`{"cmd":"NODE_HANDLE_ACK"}`, nil)
		file := os.NewFile(uintptr(fds[0]), "received")
		fds = fds[1:]
		if m.Msg != nil && m.Msg.Listening != nil {
			p.k.hold(*m.Msg.Listening, file)
			p.events <- fmt.Sprintf("listening %s:%d", m.Msg.Listening.Host, m.Msg.Listening.Port)
		} else {
			file.Close()
		}
		return fds
	}
	switch {
	case m.Want != nil:
		p.events <- "want"
		p.answer(m)
	case m.Drained:
		p.events <- "drained"
	}
	return fds
}

func (p *process) answer(m message) {
	p.k.mu.Lock()
	file := p.k.held[*m.Want]
	p.k.mu.Unlock()
	if file == nil {
		p.say(fmt.Sprintf(`{"cmd":"NODE_DEVSTACK","free":%d}`, m.ID), nil)
		return
	}
	p.say(fmt.Sprintf(`{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_DEVSTACK","held":%d}}`, m.ID), file)
}

func (k *keeper) hold(where address, file *os.File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held[where] != nil {
		file.Close()
		return
	}
	k.held[where] = file
}

// say writes a line to the process, with a descriptor if there is a file.
func (p *process) say(line string, file *os.File) {
	var oob []byte
	if file != nil {
		oob = syscall.UnixRights(int(file.Fd()))
	}
	if _, _, err := p.channel.WriteMsgUnix([]byte(line+"\n"), oob, nil); err != nil {
		p.events <- "cannot write to the channel: " + err.Error()
	}
}

// expect waits for an event that begins like this; others before it are kept for the next call.
func (p *process) expect(prefix string) string {
	p.t.Helper()
	if at := slices.IndexFunc(p.unread, func(e string) bool { return strings.HasPrefix(e, prefix) }); at >= 0 {
		event := p.unread[at]
		p.unread = slices.Delete(p.unread, at, at+1)
		return event
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for {
		select {
		case event := <-p.events:
			if strings.HasPrefix(event, prefix) {
				return event
			}
			p.unread = append(p.unread, event)
		case <-ctx.Done():
			p.t.Fatalf("never came: %q; seen: %q", prefix, p.unread)
		}
	}
}

// seen is everything that came and was not expected yet.
func (p *process) seen() []string {
	for {
		select {
		case event := <-p.events:
			p.unread = append(p.unread, event)
		default:
			return p.unread
		}
	}
}

// never fails the test if such an event has come.
func (p *process) never(prefix string) {
	p.t.Helper()
	if slices.ContainsFunc(p.seen(), func(e string) bool { return strings.HasPrefix(e, prefix) }) {
		p.t.Errorf("unexpected %q in %q", prefix, p.unread)
	}
}

func (p *process) kill(signal syscall.Signal) string {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	return p.expect("exit ")
}
