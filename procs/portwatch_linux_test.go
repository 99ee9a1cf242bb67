package procs

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"devstack/bench/freeport"
	"devstack/stack"
)

// listen opens a port of this host and returns it.
func listen(t *testing.T, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// A listening socket counts only if it is of the launch's own tree; what somebody else has open on the port does not.
func TestPortWatchLooksIntoTheTree(t *testing.T) {
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"} {
		port := listen(t, address)
		if socket := new(kernel).listenerOn(port); socket == "" || !slices.Contains(socketsOf(os.Getpid()), socket) {
			t.Errorf("%s: the socket of port %d is %q", address, port, socket)
		}
		ours, theirs := portWatch{root: os.Getpid(), port: port}, portWatch{root: other.Process.Pid, port: port}
		if ours.look() != port || theirs.look() != 0 {
			t.Errorf("%s: ours %d, theirs %d", address, ours.look(), theirs.look())
		}
		if got, want := theirs.inspect(), "it does not listen on port "+strconv.Itoa(port)+" yet; another program listens on port "+strconv.Itoa(port); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	wrong, right := listen(t, "127.0.0.1:0"), freeport.Get(t)
	if got, want := (&portWatch{root: os.Getpid(), port: right}).inspect(), ":"+strconv.Itoa(wrong); !strings.Contains(got, want) {
		t.Errorf("%q does not say that it listens on %s", got, want)
	}
	if socket := new(kernel).listenerOn(right); socket != "" {
		t.Errorf("nobody listens on %d, and its socket is %s", right, socket)
	}
}

// Any port counts but a debugger's; which sockets were there before does not matter.
func TestPortWatchFindsAnyPort(t *testing.T) {
	debugger := listen(t, "127.0.0.1:0")
	w := portWatch{root: os.Getpid(), not: debuggerPorts(stack.App{NodeArgs: []string{"--inspect=127.0.0.1:" + strconv.Itoa(debugger)}})}
	if port := w.look(); port != 0 && port == debugger {
		t.Errorf("the debugger's port %d counts", port)
	}
	w.not = append(w.not, portsOf(os.Getpid())...)
	port := listen(t, "127.0.0.1:0")
	if got := w.look(); got != port {
		t.Errorf("got %d, want %d", got, port)
	}
}

func portsOf(pid int) (ports []int) {
	for _, at := range treeListens([]int{pid}) {
		ports = append(ports, at.Port)
	}
	return ports
}

func TestDebuggerPorts(t *testing.T) {
	app := stack.App{Command: []string{"node", "--inspect", "x.js"}, NodeArgs: []string{"--inspect-brk=9333"}}
	app.Environment = []stack.Variable{{Key: "NODE_OPTIONS", Value: "--enable-source-maps --inspect=[::1]:9444"}}
	if got := debuggerPorts(app); !slices.Equal(got, []int{9229, 9333, 9444}) {
		t.Errorf("got %v", got)
	}
}

// BenchmarkPortWatch is what watching costs this process while a program boots for three seconds: once in an iteration, without
// the waiting. docs/performance.md has the figure.
func BenchmarkPortWatch(b *testing.B) {
	for name, test := range map[string]struct {
		w     portWatch
		looks int
	}{
		"declared port": {portWatch{root: os.Getpid(), port: 1}, int(3 * time.Second / portPause)},
		"any port":      {portWatch{root: os.Getpid()}, int(minSettle / anyPortPause)},
	} {
		b.Run(name, func(b *testing.B) {
			before := cpuTime()
			for b.Loop() {
				w := test.w
				for range test.looks {
					w.look()
				}
				w.kernel.close()
			}
			b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "µs-cpu/start")
		})
	}
}

func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(syscall.TimevalToNsec(syscall.Timeval(u.Utime)) + syscall.TimevalToNsec(syscall.Timeval(u.Stime)))
}
