//go:build linux

package keeper

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// wires returns the two ends of a stream socket.
func wires(t *testing.T) (a, b *wire) {
	t.Helper()
	a, child, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = newWire(child); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// pipeEnd is a descriptor by which its copies can be counted: the pipe is at its end when the last one is closed.
func pipeEnd(t *testing.T) (d *descriptor, atEnd func() bool) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if d, err = dupConn(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return d, func() bool {
		var b [1]byte
		raw, err := r.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		n := -1
		_ = raw.Control(func(fd uintptr) { n, _ = syscall.Read(int(fd), b[:]) })
		return n == 0
	}
}

func TestFramesKeepTheirDescriptors(t *testing.T) {
	t.Parallel()
	a, b := wires(t)
	long := &Message{ID: 1, Verb: Stash, Blob: make([]byte, 1<<20)}
	with, atEnd := pipeEnd(t)
	stray, strayAtEnd := pipeEnd(t)
	go func() {
		_ = writeFrame(a, long)
		_ = writeFrame(a, &Message{ID: 2, Verb: Connect, attached: with})
		with.close()
		long.attached = stray
		_ = writeFrame(a, long)
		stray.close()
		_ = writeFrame(a, &Message{ID: 4, Verb: Hello})
	}()
	for _, want := range []struct {
		id       uint64
		attached bool
	}{{1, false}, {2, true}, {1, true}, {4, false}} {
		m, err := readFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		if m.ID != want.id || (m.attached != nil) != want.attached {
			t.Errorf("message %d, descriptor %v, want %+v", m.ID, m.attached, want)
		}
		if m.attached != nil {
			flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(m.attached.fd), syscall.F_GETFD, 0)
			if flags&syscall.FD_CLOEXEC == 0 {
				t.Error("a program would inherit the descriptor")
			}
		}
		m.attached.close()
	}
	if !atEnd() || !strayAtEnd() {
		t.Error("a descriptor was not closed")
	}
}

func TestWireBoundsWhatArrives(t *testing.T) {
	t.Parallel()
	a, b := wires(t)
	d, atEnd := pipeEnd(t)
	for range maxArrived + 3 {
		if _, err := a.send([]byte("x"), d); err != nil {
			t.Fatal(err)
		}
	}
	d.close()
	text := make([]byte, 0, maxArrived+3)
	for len(text) < maxArrived+3 {
		n, err := b.Read(text[len(text):cap(text)])
		if err != nil {
			t.Fatal(err)
		}
		text = text[:len(text)+n]
	}
	if string(text) != strings.Repeat("x", maxArrived+3) || len(b.arrived) != maxArrived {
		t.Errorf("%q, %d descriptors", text, len(b.arrived))
	}
	if atEnd() {
		t.Error("none was kept")
	}
	b.discard()
	if !atEnd() {
		t.Error("a descriptor was not closed")
	}
}
