package pilot_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"devstack/daemon/api"
)

// stack is the sample on a machine.
type stack struct {
	*vm
	project string
	infra   string // docker or native
	table   *strings.Builder

	port, redis, postgres int // of the orchestrator and of the services
}

// as is the stack for a subtest: its failures are the subtest's.
func (s *stack) as(t *testing.T) *stack {
	machine, of := *s.vm, *s
	machine.t, of.vm = t, &machine
	return &of
}

// step runs a subtest; the ones after it need what it left.
func (s *stack) step(t *testing.T, name string, do func(*stack)) {
	t.Helper()
	if !t.Run(name, func(t *testing.T) { do(s.as(t)) }) {
		t.FailNow()
	}
}

// took is a line of the table of figures.
func (s *stack) took(what string, took time.Duration, lost string) {
	fmt.Fprintf(s.table, "| %s | %.1f s | %s |\n", what, took.Seconds(), lost)
}

// devstack runs `devstack ARGS` as the stack's user.
func (s *stack) devstack(args string) string {
	s.t.Helper()
	return s.run("runuser -u devstack -- env HOME=/var/lib/devstack devstack -C %s %s", at, args)
}

// state is `devstack ps --json`.
func (s *stack) state() (state api.State, err error) {
	out, err := s.try("runuser -u devstack -- env HOME=/var/lib/devstack devstack -C " + at + " ps --json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &state)
	}
	return state, err
}

// ready is the state, and an error as long as not everything is ready but for those that were stopped.
func (s *stack) ready(stopped ...string) (api.State, error) {
	state, err := s.state()
	if err != nil {
		return state, err
	}
	if state.Daemon == nil || len(state.Services) != 2 || len(state.Processes) < 6 {
		return state, fmt.Errorf("not everything is there: %+v", state)
	}
	for _, v := range state.Services {
		if !v.Ready {
			return state, fmt.Errorf("%s is %s", v.Name, v.Health)
		}
	}
	left := len(stopped)
	for _, p := range state.Processes {
		if p.Status == "stopped" && strings.Contains(strings.Join(stopped, " "), p.Name) {
			left--
		} else if !p.Ready {
			return state, fmt.Errorf("%s is %s", p.Name, p.Status)
		}
	}
	if left > 0 {
		return state, fmt.Errorf("%v should be stopped: %+v", stopped, state.Processes)
	}
	return state, nil
}

// mustBeReady waits for nothing.
func (s *stack) mustBeReady(stopped ...string) api.State {
	s.t.Helper()
	state, err := s.ready(stopped...)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.journal())
	}
	return state
}

func (s *stack) becomesReady(stopped ...string) (state api.State) {
	s.t.Helper()
	waitFor(s.t, "everything is ready", func() (err error) {
		state, err = s.ready(stopped...)
		return err
	})
	return state
}

// pids are the pids of all processes, as one word each: name=pid.
func pids(state api.State) string {
	var all []string
	for _, p := range state.Processes {
		if p.Pid != nil {
			all = append(all, fmt.Sprintf("%s/%d=%d", p.Name, p.Instance, *p.Pid))
		}
	}
	return strings.Join(all, " ")
}

// ask asks the orchestrator.
func (s *stack) ask(path, options string) (string, error) {
	return s.try(fmt.Sprintf("curl -sf --max-time 10 %s http://127.0.0.1:%d%s", options, s.port, path))
}

// submit begins a pipeline.
func (s *stack) submit() (id string) {
	s.t.Helper()
	id, err := s.trySubmit()
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// trySubmit fails while services are away: the orchestrator then answers that it cannot.
func (s *stack) trySubmit() (id string, err error) {
	out, err := s.ask("/pipelines", `-H 'content-type: application/json' -d '{"name":"pilot"}'`)
	if err != nil {
		return "", err
	}
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.ID == "" {
		return "", fmt.Errorf("no pipeline: %w\n%s", err, out)
	}
	return made.ID, nil
}

// completes waits until all tasks of a pipeline are completed.
func (s *stack) completes(id string) {
	s.t.Helper()
	waitFor(s.t, "the pipeline completed", func() error {
		out, err := s.ask("/pipelines/"+id, "")
		var p struct{ Status string }
		if err := errors.Join(err, json.Unmarshal([]byte(out), &p)); err != nil {
			return err
		}
		if p.Status != "completed" {
			return errors.New("it is " + out)
		}
		return nil
	})
}

// unit is a property of the stack's unit.
func (s *stack) unit(property string) string {
	s.t.Helper()
	return s.run("systemctl show -P %s %s.service", property, s.project)
}

// journal is what the units said last.
func (s *stack) journal() string {
	out, _ := s.try(fmt.Sprintf("journalctl -n 40 --no-pager -o cat -u %[1]s -u %[1]s-infra; systemctl status --no-pager %[1]s", s.project))
	return out
}

// leftOvers are the processes of the stack that still run, whatever they are called.
func (s *stack) leftOvers() string {
	out, _ := s.try("pgrep -a -u devstack; pgrep -a '^(node|redis-server|postgres)$'")
	return out
}
