package probe

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
)

func TestListens(t *testing.T) {
	for _, test := range []struct {
		name  string
		talk  func(in *bufio.Reader, out net.Conn)
		ready bool
	}{
		{"it keeps the connection open", func(in *bufio.Reader, _ net.Conn) { _, _ = in.ReadByte() }, true},
		{"it speaks first", func(_ *bufio.Reader, out net.Conn) { _, _ = out.Write([]byte("220 hello")) }, true},
		{"a proxy accepts for nobody", func(*bufio.Reader, net.Conn) {}, false},
	} {
		addr := serve(t, test.talk)
		if r := Listens(addr).Check(t.Context()); r.Ready != test.ready || r.Ready && !strings.HasPrefix(r.Detail, "listens on port ") {
			t.Errorf("%s: %+v, want ready: %t", test.name, r, test.ready)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := Listens(serve(t, func(in *bufio.Reader, _ net.Conn) { _, _ = in.ReadByte() })).Check(ctx); r.Ready {
		t.Error("ready, and its context has ended")
	}
}
