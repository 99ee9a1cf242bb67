package procs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"devstack/stack"
)

// Check asks now, whatever the interval of the healthcheck is.
func TestCheckAsksNow(t *testing.T) {
	p := newProject(t)
	checked, plain := p.app("db", "/bin/sh", "-c", "touch up; exec sleep 1000"), p.app("web", "/bin/sleep", "1000")
	checked.Healthcheck = &stack.Healthcheck{Exec: []string{"test", "-e", "up"}, Interval: time.Hour, Timeout: 5 * time.Second, Retries: 1}
	p.start(checked, plain)
	db, web := p.untilReady("db"), p.untilReady("web")
	if r, asked := p.current().Check(t.Context(), db.ID); !asked || !r.Ready {
		t.Errorf("db is there: %+v, %v", r, asked)
	}
	if err := os.Remove(filepath.Join(p.dir, "up")); err != nil {
		t.Fatal(err)
	}
	if r, asked := p.current().Check(t.Context(), db.ID); !asked || r.Ready {
		t.Errorf("db has gone: %+v, %v", r, asked)
	}
	if _, asked := p.current().Check(t.Context(), web.ID); asked {
		t.Error("web has no healthcheck, and was asked")
	}
	if _, asked := p.current().Check(t.Context(), 99); asked {
		t.Error("nobody was asked")
	}
}
