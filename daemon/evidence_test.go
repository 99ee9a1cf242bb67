package daemon

import (
	"slices"
	"strings"
	"testing"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// A failure names the file that its lines came from, and none where there are no lines of that launch.
func TestTheEvidenceIsInTheFileThatIsNamed(t *testing.T) {
	app := stack.App{Name: "web", ErrorFile: "/logs/web-error.log", OutFile: "/logs/web-out.log"}
	said := view.ExitRecord{Exit: view.Exit{Code: new(1), Reason: view.Crash, At: at(101)}, LastLines: []string{"booting"}, LogFiles: []string{"/logs/web-out.log"}}
	silent := view.ExitRecord{Exit: said.Exit}
	for _, tc := range []struct {
		name    string
		process view.ProcessDetails
		file    string
	}{
		{"crashed", view.ProcessDetails{Process: view.Process{Status: view.Errored}, Exits: []view.ExitRecord{said}}, "/logs/web-out.log"},
		{"ready again", view.ProcessDetails{Process: view.Process{Status: view.Online, Ready: true}, Exits: []view.ExitRecord{said}}, "/logs/web-out.log"},
		{"said nothing", view.ProcessDetails{Process: view.Process{Status: view.Errored}, Exits: []view.ExitRecord{silent}}, ""},
		{"cannot be launched", view.ProcessDetails{Process: view.Process{Status: view.Errored}, Exits: []view.ExitRecord{said}, LastError: "no such file"}, ""},
	} {
		tc.process.Name = "web"
		v := judge(goal{apps: []stack.App{app}, began: at(100)}, nil, []procs.Process{detailsOf(tc.process)})
		if len(v.failures) != 1 {
			t.Errorf("%s: %+v", tc.name, v)
			continue
		}
		f := v.failures[0]
		if f.LogFile != tc.file || f.LogFiles == nil || (len(f.LastLines) > 0) != (tc.file != "") || (tc.file != "") != slices.Contains(f.LogFiles, tc.file) {
			t.Errorf("%s: %q in %q, %q", tc.name, f.LastLines, f.LogFile, f.LogFiles)
		}
	}
	if f := rejection(app, detailsOf(view.ProcessDetails{Exits: []view.ExitRecord{said}})); f.LogFile != "/logs/web-out.log" {
		t.Errorf("a reload: %q", f.LogFile)
	}
}

// The failure of a process is known before its next launch has settled, and it is known once.
func TestAFailureIsKnownAtOnce(t *testing.T) {
	exits := []view.ExitRecord{{Exit: view.Exit{Code: new(1), Reason: view.Crash, At: at(101)}, LastLines: []string{"boom"}, LogFiles: []string{"/e"}}}
	launching := detailsOf(view.ProcessDetails{Process: view.Process{Name: "web", Status: view.Launching}, Exits: exits})
	slow := processOf(view.Process{Name: "slow", Status: view.Launching})
	v := judge(goal{apps: []stack.App{{Name: "web"}, {Name: "slow"}}, began: at(100)}, nil, []procs.Process{launching, slow})
	known := v.known()
	if len(known) != 1 || len(v.pending) != 2 || known[0].Exit != api.ExitProcess || !slices.Equal(known[0].LastLines, []string{"boom"}) {
		t.Fatalf("known %+v, pending %+v", known, v.pending)
	}
	if want := "exited with code 1 after 0s, was restarted and is not ready yet"; known[0].Message != want {
		t.Errorf("%q, not %q", known[0].Message, want)
	}
	d := &Daemon{bus: newBus(at(0))}
	since, told := d.bus.now(), map[string]bool{}
	d.tellFailures(v, told)
	d.tellFailures(v, told)
	events, _ := d.bus.after(since)
	if len(events) != 1 || events[0].Kind != view.KindFailure || events[0].Resource != "web" || events[0].Message != known[0].Message {
		t.Errorf("told %+v", events)
	}
}

// More time helps only by the limit that has ended.
func TestTheNextStepNamesTheLimitThatEnded(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{{Name: "slow"}}}
	late := procs.Process{ProcessDetails: view.ProcessDetails{Process: view.Process{Name: "slow", Status: view.Launching}}, Late: true}
	f := api.Failure{Resource: "slow", Exit: api.ExitTimeout}
	if got := nextStep(f, st, []procs.Process{late}); !strings.Contains(got, "raise its listen_timeout") || strings.Contains(got, "--timeout") {
		t.Errorf("after listen_timeout: %q", got)
	}
	late.Late = false
	if got := nextStep(f, st, []procs.Process{late}); !strings.Contains(got, "--timeout") {
		t.Errorf("after --timeout: %q", got)
	}
}

func TestPortOfAHealthcheck(t *testing.T) {
	for port, hc := range map[int]stack.Healthcheck{
		3000: {HTTP: "http://localhost:3000/up"}, 443: {HTTP: "https://localhost/up"}, 5000: {TCP: "localhost:5000"}, 0: {HTTP: "/up"},
	} {
		if got := probedPort(hc); got != port {
			t.Errorf("%+v: %d, not %d", hc, got, port)
		}
	}
}
