package daemon

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/procs/files"
	"devstack/view"
)

// commands of a running stack, with another environment than that of the up before them.
func (r *running) act(verb api.Verb, names ...string) {
	r.Helper()
	result, err := r.client.Act(r.Context(), verb, api.ActionRequest{Names: names, Environment: append(os.Environ(), "KEY=new")}, func(api.Event) {})
	if err != nil || result.Exit != api.ExitDone {
		r.Fatalf("%+v, %v", result, err)
	}
}

func (r *running) scale(name string, instances int) {
	r.Helper()
	result, err := r.client.Scale(r.Context(), api.ScaleRequest{Name: name, Instances: instances}, func(api.Event) {})
	if err != nil || result.Exit != api.ExitDone {
		r.Fatalf("%+v, %v", result, err)
	}
}

// What a command has answered holds for the next daemon, too, whatever the one before had saved.
func TestAnswersOutliveTheDaemon(t *testing.T) {
	const file = `
apps:
  - {name: web, command: [sleep, "1000"], env: {KEY: "${KEY:-none}"}}
  - {name: pair, command: [sleep, "1000"], instances: 2}
  - {name: extra, command: [sleep, "1000"], autostart: false}
`
	for name, tc := range map[string]struct {
		do   func(*running)
		want string
	}{
		"stop":              {func(r *running) { r.act(api.Stop, "web") }, "web=stopped pair=online pair=online extra=stopped"},
		"stop all":          {func(r *running) { r.act(api.Stop, "all") }, "web=stopped pair=stopped pair=stopped extra=stopped"},
		"stop one instance": {func(r *running) { r.act(api.Stop, "2") }, "web=online pair=online pair=stopped extra=stopped"},
		"start":             {func(r *running) { r.act(api.Start, "extra") }, "web=online pair=online pair=online extra=online"},
		"stop, then start":  {func(r *running) { r.act(api.Stop, "web"); r.act(api.Start, "web") }, "web=online pair=online pair=online extra=stopped"},
		"restart":           {func(r *running) { r.act(api.Restart, "web") }, "web=online pair=online pair=online extra=stopped"},
		"reload":            {func(r *running) { r.act(api.Reload, "web") }, "web=online pair=online pair=online extra=stopped"},
		"delete":            {func(r *running) { r.act(api.Delete, "web") }, "pair=online pair=online extra=stopped"},
		"scale up":          {func(r *running) { r.scale("pair", 3) }, "web=online pair=online pair=online pair=online extra=stopped"},
		"scale down":        {func(r *running) { r.scale("pair", 1) }, "web=online pair=online extra=stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newProject(t, file)
			r.mustUp()
			daemon := r.state().Daemon.Pid
			tc.do(r)
			if err := syscall.Kill(daemon, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			now := r.untilReady()
			if got := states(now); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			for _, p := range now.Processes {
				if d := r.process(p.Name); d.RestartsBy.Crash > 0 || slices.ContainsFunc(d.Exits, func(e view.ExitRecord) bool { return e.Reason == "crash" }) {
					t.Errorf("%s counts a crash: %+v", p.Name, d.Exits)
				}
			}
			if name == "restart" || name == "reload" { // it has the definition that was read then
				before := r.pids()["web"]
				r.mustUp("KEY=new")
				if after := r.pids()["web"]; after != before {
					t.Errorf("web was restarted: %d, then %d", before, after)
				}
			}
		})
	}
}

// untilReady waits until nothing is on its way any more.
func (r *running) untilReady() (now *api.State) {
	r.Helper()
	onItsWay := func(p view.Process) bool { return p.Status != "stopped" && p.Status != "online" }
	for _, err := range r.client.Events(r.Context(), 1) { // the first event is at once: what was missed
		if err != nil {
			r.Fatal(err)
		}
		if now = r.state(); !slices.ContainsFunc(now.Processes, onItsWay) {
			break
		}
	}
	return now
}

func states(s *api.State) string {
	var all []string
	for _, p := range s.Processes {
		all = append(all, p.Name+"="+string(p.Status))
	}
	return strings.Join(all, " ")
}

// A daemon that dies in the middle of down has a successor that goes on with it, although nobody asks any more.
func TestDownOutlivesTheDaemon(t *testing.T) {
	r := newProject(t, `
apps:
  - {name: web, command: [sleep, "1000"]}
  - {name: stubborn, command: "trap '' TERM; while :; do sleep 0.01; done", kill_timeout: 1s, depends_on: [web]}
`)
	r.mustUp()
	daemon := r.state().Daemon.Pid
	ctx, leave := context.WithCancel(t.Context())
	_, err := r.client.Down(ctx, api.DownRequest{}, func(e api.Event) {
		if e.Resource == "stubborn" && e.To == "stopping" {
			leave()
			if err := syscall.Kill(daemon, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	})
	if err == nil {
		t.Error("down was not interrupted")
	}
	r.waitGone()
	if data, err := os.ReadFile(intentPath(r.at.StateDir)); err != nil || strings.Contains(string(data), `"web"`) {
		t.Errorf("down counts as a stop of web: %s, %v", data, err)
	}
	if again := r.up(); again.Exit != api.ExitDone || slices.ContainsFunc(again.State.Processes, func(p view.Process) bool { return !p.Ready }) {
		t.Errorf("%+v", again)
	}
}

// On a full disk a stop holds as long as the keeper lives, and says that a reboot would forget it. When there is room again,
// nobody has to do anything.
func TestStopOnAFullDisk(t *testing.T) {
	r := newProject(t, twoApps)
	r.mustUp()
	blocked := files.Beside(intentPath(r.at.StateDir)) // as good as a full disk: the new file cannot be made
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	warnings := 0
	for _, name := range []string{"web", "agent"} {
		result, err := r.client.Act(t.Context(), api.Stop, api.ActionRequest{Names: []string{name}}, func(e api.Event) {
			if e.Kind == view.KindWarning && strings.Contains(e.Message, "devstack tries again") {
				warnings++
			}
		})
		says := func(note string) bool {
			return strings.Contains(note, "cannot save what is stopped and scaled, so a reboot would forget it: ")
		}
		if err != nil || result.Exit != api.ExitDone || !slices.ContainsFunc(result.Notes, says) {
			t.Errorf("stop %s: %+v, %v", name, result, err)
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings", warnings)
	}
	if _, err := r.client.Save(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot save") {
		t.Errorf("save: %v", err)
	}
	r.killDaemon()
	if got := states(r.untilReady()); got != "web=stopped agent=stopped" {
		t.Errorf("after it the daemon was killed: %s", got)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		l, err := readIntent(r.at.StateDir)
		if l.Stopped["web"] && l.Stopped["agent"] {
			return
		}
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatalf("not written: %+v, %v", l, err)
		}
	}
}
