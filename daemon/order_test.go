package daemon

import (
	"os"
	"strings"
	"testing"
	"time"

	"devstack/daemon/api"
)

// What a command runs anew holds back what depends on it, also what needs no stop first: a one_shot, what is stopped, what has failed.
func TestACommandKeepsTheOrder(t *testing.T) {
	const jobs = `
apps:
  - {name: migrate, one_shot: true, command: "sleep 0.5; exit 0", env: {EDIT: "1"}}
  - {name: seed, one_shot: true, command: "exit 0", depends_on: {migrate: {condition: service_completed_successfully}}}
  - {name: api, command: [sleep, "1000"], depends_on: {migrate: {condition: service_completed_successfully}}}
`
	const servers = `
apps:
  - {name: a, command: "sleep 0.5; echo ready; exec sleep 1000", healthcheck: {log_line: ready}, env: {EDIT: "1"}}
  - {name: b, command: "test -e fail && exit 1; exec sleep 1000", depends_on: [a], restart_delay: 1h}
`
	edited := func(file string) string { return strings.Replace(file, `EDIT: "1"`, `EDIT: "2"`, 1) }
	for _, tc := range []struct {
		name, file string
		do         func(r *running)
		first      string   // what is run anew
		then       []string // what is launched after it
	}{
		{"restart of one_shots", jobs, func(r *running) { r.act(api.Restart) }, "migrate", []string{"seed", "api"}},
		{"start of one_shots", jobs, func(r *running) { r.act(api.Start, "migrate", "seed") }, "migrate", []string{"seed"}},
		{"up with a changed one_shot", jobs, func(r *running) {
			r.act(api.Stop, "api")
			r.write(edited(jobs))
			r.mustUp()
		}, "migrate", []string{"api"}},
		{"up with a changed server", servers, func(r *running) {
			r.act(api.Stop, "b")
			r.write(edited(servers))
			r.mustUp()
		}, "a", []string{"b"}},
		{"restart with one stopped", servers, func(r *running) {
			r.act(api.Stop, "b")
			r.act(api.Restart)
		}, "a", []string{"b"}},
		{"restart with one waiting for its restart", servers, func(r *running) {
			r.failOnce("b")
			r.act(api.Restart)
		}, "a", []string{"b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newProject(t, tc.file)
			r.mustUp()
			before := r.process(tc.first).Generation
			tc.do(r)
			first := r.process(tc.first)
			ready := first.StartedAt
			if first.Generation == before {
				t.Fatalf("%s was not run anew", tc.first)
			}
			if n := len(first.Exits); n > 0 && ready == nil {
				ready = &first.Exits[n-1].At
			} else {
				ready = new(ready.Add(400 * time.Millisecond))
			}
			for _, name := range tc.then {
				if at := r.launched(name); at.Before(*ready) {
					t.Errorf("%s was launched %s before %s was ready", name, ready.Sub(at), tc.first)
				}
			}
		})
	}
}

// failOnce has an app end with 1, which is to be run again after an hour.
func (r *running) failOnce(name string) {
	r.Helper()
	if err := os.WriteFile(r.at.Dir+"/fail", nil, 0o600); err != nil {
		r.Fatal(err)
	}
	result, err := r.client.Act(r.Context(), api.Restart, api.ActionRequest{Names: []string{name}, Environment: os.Environ()}, func(api.Event) {})
	if err != nil || result.Exit != api.ExitProcess {
		r.Fatalf("%+v, %v", result, err)
	}
	if err := os.Remove(r.at.Dir + "/fail"); err != nil {
		r.Fatal(err)
	}
}

// launched is when the last launch of an app began.
func (r *running) launched(name string) time.Time {
	r.Helper()
	p := r.process(name)
	if p.StartedAt != nil {
		return *p.StartedAt
	}
	exit := p.Exits[len(p.Exits)-1]
	return exit.At.Add(-time.Duration(exit.UptimeMS) * time.Millisecond)
}
