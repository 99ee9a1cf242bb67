package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/view"
)

// PM2 forgets to watch when its daemon is gone, and for ever after a `stop`.
func TestWatchRestartsAndSaysWhy(t *testing.T) {
	r := newProject(t, "apps:\n  - {name: web, command: [sleep, \"1000\"], watch: [src], watch_delay: 50ms}\n")
	src := filepath.Join(r.at.Dir, "src")
	if err := os.Mkdir(src, 0o755); err != nil {
		t.Fatal(err)
	}
	r.mustUp()
	if web := r.state().Processes[0]; !web.Watching {
		t.Error("ps does not say that it watches")
	}
	seq := uint64(1)
	// save saves a file, and waits until the app runs again for it.
	save := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(src, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		cause, stopping := "watch: src/"+name+" changed", false
		for e, err := range r.client.Events(t.Context(), seq) {
			if err != nil {
				t.Fatal(err)
			}
			seq = e.Seq
			stopping = stopping || e.To == "stopping" && e.Cause == cause
			if stopping && e.Kind == view.KindProcess && e.To == "online" {
				return
			}
		}
	}
	save("a.js")
	r.killDaemon()
	r.state() // of the next one
	save("b.js")
	why, err := r.client.Why(t.Context(), "web")
	if err != nil || !strings.Contains(why.Instances[0].Reason, "watch: src/b.js changed") {
		t.Errorf("why: %+v, %v", why, err)
	}
	web := r.process("web")
	if web.RestartsBy != (view.Restarts{Watch: 2}) || web.Restarts != 2 || web.UnstableRestarts != 0 || len(web.Exits) != 2 {
		t.Fatalf("restarts %d %+v, unstable %d, exits %+v", web.Restarts, web.RestartsBy, web.UnstableRestarts, web.Exits)
	}
	if e := web.Exits[1]; e.Reason != "watch" || !strings.Contains(string(e.Cause), "src/b.js") {
		t.Errorf("exit %+v", e)
	}
}
