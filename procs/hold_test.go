package procs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

func TestReleased(t *testing.T) {
	online := Machine{State: view.Online, Gen: 3, Ready: true}
	launching := Machine{State: view.Launching, Gen: 3}
	stopped := Machine{State: view.Stopped, Gen: 3}
	rejected := online
	rejected.Rejected = Rejection{Gen: 4}
	next := online
	next.Gen = 4
	all := keeper.ReleaseReq{}
	for name, test := range map[string]struct {
		before, now Machine
		what        keeper.ReleaseReq
		after       time.Duration
		ok          bool
	}{
		"it has come to rest":               {online, stopped, all, 0, true},
		"it has given up":                   {launching, Machine{State: view.Errored, Gen: 3}, all, 0, true},
		"it rests already":                  {stopped, stopped, all, 0, false},
		"it is ready":                       {launching, online, keeper.ReleaseReq{Before: 3}, openTime, true},
		"it goes on being ready":            {online, online, all, 0, false},
		"its heir serves":                   {online, next, keeper.ReleaseReq{Before: 4}, openTime, true},
		"its heir has failed":               {online, rejected, keeper.ReleaseReq{Only: 4}, 0, true},
		"its heir had failed long before":   {rejected, rejected, all, 0, false},
		"it comes to rest after its heir's": {rejected, Machine{State: view.Stopped, Rejected: rejected.Rejected}, all, 0, true},
	} {
		what, after, ok := released(test.before, test.now)
		if what != test.what || after != test.after || ok != test.ok {
			t.Errorf("%s: %+v after %s, %v", name, what, after, ok)
		}
	}
}

func TestUnheldWarning(t *testing.T) {
	node := stack.App{Port: 3000, HoldPort: "auto", Command: []string{"node", "x.js"}}
	oneShot := node
	oneShot.OneShot = true
	for name, test := range map[string]struct {
		app             stack.App
		listens, beside bool
		want            string
	}{
		"held":                 {node, true, false, ""},
		"ready by another way": {node, false, false, ""},
		"never told":           {node, false, true, "the program does not listen by itself"},
		"another program":      {stack.App{Port: 3000, HoldPort: "auto", Command: []string{"/bin/caddy"}}, false, false, "caddy is not node itself"},
		"not asked for":        {stack.App{Port: 3000, HoldPort: "false", Command: []string{"caddy"}}, false, false, ""},
		"no port":              {stack.App{HoldPort: "auto", Command: []string{"caddy"}}, false, false, ""},
		"one_shot":             {oneShot, false, true, ""},
	} {
		got := unheldWarning(test.app, test.listens, test.beside)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A line of an earlier launch says nothing about this one.
func TestLinesSince(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.log")
	write := func(text string) {
		f, err := os.OpenFile(out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("up\n")
	app := stack.App{OutFile: out}
	next, done := linesSince(app, logStartOf(app))
	defer done()
	if line, ok := next(); ok {
		t.Errorf("%q was written before", line)
	}
	write("booting\nup again\n")
	for _, want := range []string{"booting", "up again"} {
		if line, ok := next(); !ok || line != want {
			t.Errorf("%q, %v, want %q", line, ok, want)
		}
	}
	if line, ok := next(); ok {
		t.Errorf("%q is one line too many", line)
	}
}
