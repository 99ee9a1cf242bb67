package procs

import (
	"fmt"
	"testing"

	"devstack/bench/freeport"
	"devstack/probe"
	"devstack/view"
)

// TestAChildThatListensIsReadyAndNotHeld is about a launcher: the program that node runs starts the one that serves.
func TestAChildThatListensIsReadyAndNotHeld(t *testing.T) {
	p := newProject(t)
	port := freeport.Get(t)
	app := p.script("web", fmt.Sprintf(`
		if (process.argv[2]) require('http').createServer((q, r) => r.end('child')).listen(%d)
		else require('child_process').fork(__filename, ['serve'])`, port))
	app.Port, app.HoldPort = port, "auto"
	p.start(app)
	for range 2 {
		got := p.untilReady("web")
		if got.ReadyBy != view.Text(probe.ListensOn(port)) || len(got.Held) != 0 || got.Overlaps {
			t.Errorf("got %+v", got)
		}
		p.current().Reload(got.ID, app)
		p.until("web", "launched anew", func(now Process) bool { return now.Generation > got.Generation })
	}
	p.untilReady("web")
}
