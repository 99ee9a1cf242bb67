//go:build linux

package protocol

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pairOf returns the two ends of a stream socket.
func pairOf(t *testing.T) (a, b *FDConn) {
	t.Helper()
	a, child, err := SocketPair()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = NewFDConn(child); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// pipeEnd is a descriptor by which its copies can be counted: the pipe is at its end when the last one is closed.
// A fork of another test has one for a moment, so it is waited for, up to a limit.
func pipeEnd(t *testing.T) (d *Descriptor, atEnd func(limit time.Duration) bool) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if d, err = DupConn(w); err != nil {
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
	a, b := pairOf(t)
	long := &Message{ID: 1, Verb: Stash, Blob: make([]byte, 1<<20)}
	with, atEnd := pipeEnd(t)
	stray, strayAtEnd := pipeEnd(t)
	go func() {
		_ = WriteFrame(a, long)
		_ = WriteFrame(a, &Message{ID: 2, Verb: Connect, Attached: with})
		with.Close()
		long.Attached = stray
		_ = WriteFrame(a, long)
		stray.Close()
		_ = WriteFrame(a, &Message{ID: 4, Verb: Hello})
	}()
	for _, want := range []struct {
		id       uint64
		attached bool
	}{{1, false}, {2, true}, {1, true}, {4, false}} {
		m, err := ReadFrame(b)
		if err != nil {
			t.Fatal(err)
		}
		if m.ID != want.id || (m.Attached != nil) != want.attached {
			t.Errorf("message %d, descriptor %v, want %+v", m.ID, m.Attached, want)
		}
		if m.Attached != nil {
			flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(m.Attached.FD), syscall.F_GETFD, 0)
			if flags&syscall.FD_CLOEXEC == 0 {
				t.Error("a program would inherit the descriptor")
			}
		}
		m.Attached.Close()
	}
	if !atEnd(15*time.Second) || !strayAtEnd(15*time.Second) {
		t.Error("a descriptor was not closed")
	}
}

func TestConnectionBoundsWhatArrives(t *testing.T) {
	t.Parallel()
	a, b := pairOf(t)
	d, atEnd := pipeEnd(t)
	for range maxArrived + 3 {
		if _, err := a.Send([]byte("x"), d); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	text := make([]byte, 0, maxArrived+3)
	for len(text) < maxArrived+3 {
		n, err := b.Read(text[len(text):cap(text)])
		if err != nil {
			t.Fatal(err)
		}
		text = text[:len(text)+n]
	}
	if string(text) != strings.Repeat("x", maxArrived+3) || len(b.Arrived) != maxArrived {
		t.Errorf("%q, %d descriptors", text, len(b.Arrived))
	}
	if atEnd(time.Millisecond) {
		t.Error("none was kept")
	}
	b.Discard()
	if !atEnd(15 * time.Second) {
		t.Error("a descriptor was not closed")
	}
}
