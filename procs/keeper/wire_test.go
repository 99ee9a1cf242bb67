//go:build linux

package keeper

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
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
// A fork of another test has one for a moment, so it is waited for, up to a limit.
func pipeEnd(t *testing.T) (d *descriptor, atEnd func(limit time.Duration) bool) {
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
	return d, func(limit time.Duration) bool {
		_ = r.SetReadDeadline(time.Now().Add(limit))
		_, err := r.Read(make([]byte, 1))
		return err == io.EOF
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
	if !atEnd(15*time.Second) || !strayAtEnd(15*time.Second) {
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
	if atEnd(time.Millisecond) {
		t.Error("none was kept")
	}
	b.discard()
	if !atEnd(15 * time.Second) {
		t.Error("a descriptor was not closed")
	}
}
