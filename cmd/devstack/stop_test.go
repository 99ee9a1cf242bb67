package main_test

import (
	"encoding/json"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"devstack/daemon/api"
)

// What stop has answered holds, however the daemon ends up to 50 ms later: the next one finds web stopped, by devstack, and
// lets it be. 200 times each, if asked for.
func TestSoakStopOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *project, daemon int){
		"kill":    func(p *project, daemon int) { kill(p.t, daemon) },
		"term":    func(p *project, daemon int) { signal(p.t, daemon, syscall.SIGTERM) },
		"restart": func(p *project, _ int) { p.must("daemon", "restart") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			p.write("ecosystem.yaml", "apps:\n  - {name: web, command: [sleep, '1000']}\n  - {name: agent, command: [sleep, '1000']}\n")
			back := 0
			for range rounds(t, 3, 200) {
				p.must("up")
				before := p.ps()
				p.must("stop", "web")
				<-time.After(rand.N(50 * time.Millisecond))
				end(p, before.Daemon.Pid)
				var after api.State
				waitFor(t, "the next daemon", func() (bool, any) {
					after = p.ps()
					return after.Daemon.Pid != before.Daemon.Pid, after.Daemon
				})
				web := processIn(t, after, "web")
				var why api.Why
				if out := p.must("why", "web", "--json"); json.Unmarshal([]byte(out), &why) != nil || len(why.Instances) != 1 {
					t.Fatalf("why --json is not the documented JSON:\n%s", out)
				}
				by := why.Instances[0].StoppedBy
				if web.Status != "stopped" || web.Restarts != 0 || len(p.launched("web")) > 0 || by != "devstack" {
					back++
					t.Errorf("it is %+v, because: %+v", web, why.Instances[0])
				}
				if now := pids(after); now["agent"] != pids(before)["agent"] {
					t.Errorf("before the pids were %v, and now %v", pids(before), now)
				}
				p.must("down")
			}
			t.Logf("%d came back", back)
		})
	}
}
