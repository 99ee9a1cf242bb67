package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

func TestAllowed(t *testing.T) {
	for uid, want := range map[uint32]bool{0: true, uint32(os.Getuid()): true, uint32(os.Getuid()) + 1: false} {
		if got := allowed(uid) == nil; got != want {
			t.Errorf("user %d may connect: %v", uid, got)
		}
	}
}

func TestPeerUID(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	uid, err := peerUID(c.(*net.UnixConn))
	if err != nil || uid != uint32(os.Getuid()) {
		t.Errorf("the peer is user %d, %v", uid, err)
	}
	if checkPeer(c) != nil {
		t.Error("our own connection is refused")
	}
}

func TestRunBuild(t *testing.T) {
	var seen []string
	each := func(line string) { seen = append(seen, line) }
	b := stack.Build{Command: []string{"sh", "-c", "echo $WORD; echo error >&2; printf unfinished; exit 3"}, Dir: t.TempDir()}
	last, err := runBuild(t.Context(), b, append(os.Environ(), "WORD=hello"), each)
	if err == nil || !strings.Contains(err.Error(), "3") {
		t.Errorf("error %v", err)
	}
	want := []string{"hello", "error", "unfinished"}
	if !slices.Equal(last, want) || !slices.Equal(seen, want) {
		t.Errorf("lines %q, published %q", last, seen)
	}
	// An ended context ends the build with what it started: sleep holds the pipe, so that Run would wait for it.
	ctx, cancel := context.WithCancel(t.Context())
	b.Command = []string{"sh", "-c", "sleep 1000 & echo started; wait"}
	if _, err := runBuild(ctx, b, os.Environ(), func(string) { cancel() }); err == nil {
		t.Error("a cancelled build succeeded")
	}
}

func TestInfraFailures(t *testing.T) {
	err := errors.Join(
		&infra.Error{Kind: infra.PortTaken, Service: "redis", Message: "taken"},
		fmt.Errorf("looking: %w", &infra.Error{Kind: infra.NoEngine, Message: "none"}),
		errors.New("something else"),
	)
	var got []string
	for _, f := range infraFailures(err) {
		got = append(got, fmt.Sprint(f.Resource, " ", f.Exit))
	}
	if want := []string{"redis 9", "services 5", "services 5"}; !slices.Equal(got, want) {
		t.Errorf("failures %q, want %q", got, want)
	}
	if got := CodeOf(infra.Unsupported); got != api.ExitFiles {
		t.Errorf("unsupported is %d", got)
	}
}

func TestFileRefusal(t *testing.T) {
	one := fileRefusal(stack.Errors{{File: "e.yaml", Line: 2, Column: 3, Message: "unknown key", Hint: "remove it"}})
	if one.Exit != api.ExitFiles || one.Error != "e.yaml:2:3: unknown key" || one.Hint != "remove it" {
		t.Errorf("%+v", one)
	}
	two := fileRefusal(stack.Errors{{File: "e.yaml", Message: "a"}, {File: "e.yaml", Message: "b"}})
	if len(two.Failures) != 2 || !strings.Contains(two.Error, "2 problems") {
		t.Errorf("%+v", two)
	}
	if r := fileRefusal(&stack.UnknownError{Kind: "profile", Name: "prd"}); r.Exit != api.ExitUsage {
		t.Errorf("%+v", r)
	}
}
