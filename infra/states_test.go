package infra

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/service-states.md anew")

// TestStatesPage keeps docs/service-states.md what Step does: go test ./infra -run TestStatesPage -update
func TestStatesPage(t *testing.T) {
	const path = "../docs/service-states.md"
	want := statesPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/service-states.md is stale (%v); run: go test ./infra -run TestStatesPage -update", err)
	}
}

var allPhases = []Phase{PhaseDown, PhaseProbing, PhaseReady, PhaseRestarting, PhaseRepairing, PhaseCompleted, PhaseFailed}

// inPhase is a service that has answered before, where its phase does not tell otherwise.
func inPhase(p Phase) Machine {
	m, _ := steps(newMachine(), Start{}, seen(run1, "running"))
	switch p {
	case PhaseDown:
		m, _ = steps(newMachine(), Start{})
	case PhaseReady:
		m = answering()
	case PhaseRestarting:
		m, _ = steps(answering(), die(1, "restarting"))
	case PhaseRepairing:
		m, _ = steps(answering(), die(1, "exited"))
	case PhaseCompleted:
		m, _ = steps(job(), die(0, "exited"))
	case PhaseFailed:
		m, _ = steps(m, die(1, "exited"))
	}
	return m
}

// named are the events of the page.
var named = []struct {
	name string
	ev   Event
}{
	{"Start by a plan", Start{Planned: true}},
	{"Stop", Stop{}},
	{"Replace", Replace{"1"}},
	{"Seen running, a new run", seen(Run{"1", began.Add(time.Hour)}, "running")},
	{"Seen exited", seen(run1, "exited")},
	{"Seen paused", seen(run1, "paused")},
	{"Answered", Answered{Run: run1, By: "PONG"}},
	{"NotYet", NotYet{Run: run1}},
	{"Silent", Silent{Run: run1}},
	{"Died with 0", die(0, "exited")},
	{"Died with 1", die(1, "exited")},
	{"Died, and the engine restarts it", die(1, "restarting")},
	{"StopDone", stopDone()},
	{"Removed", destroy()},
	{"Elapsed", Elapsed{}},
	{"BroughtBack", BroughtBack{}},
	{"BroughtBack with a problem", BroughtBack{Problem: "no space"}},
}

// circumstances lead to other phases than those of a service that is asked and has answered.
var circumstances = []struct {
	words  string
	change func(*Machine)
}{
	{"", func(m *Machine) { m.WasReady = m.WasReady || m.Phase == PhaseProbing }},
	{"never ready", func(m *Machine) { m.WasReady = false }},
	{"cannot be asked", func(m *Machine) { m.Checked = false }},
	{"one-shot", func(m *Machine) { m.OneShot = true }},
	{"stop signal", func(m *Machine) { m.Signs.Decided = true }},
}

func statesPage() string {
	var page strings.Builder
	page.WriteString("# States of a service\n\nGenerated from `infra.Machine.Step` by `go test ./infra -run TestStatesPage -update`; do not edit. " +
		"Those of a process are in\n[states.md](states.md).\n\n```mermaid\nstateDiagram-v2\n    [*] --> down\n")
	for _, from := range allPhases {
		for _, to := range allPhases {
			if labels := ways(from, to); len(labels) > 0 && from != to {
				fmt.Fprintf(&page, "    %s --> %s: %s\n", from, to, strings.Join(labels, " / "))
			}
		}
	}
	page.WriteString("```\n\nWhat each event does to a service that can be asked and has answered before; empty: nothing. Where circumstances lead\n" +
		"elsewhere, they are named in brackets.\n\n| event |")
	for _, p := range allPhases {
		fmt.Fprintf(&page, " %s |", p)
	}
	page.WriteString("\n|---|" + strings.Repeat("---|", len(allPhases)) + "\n")
	for _, n := range named {
		fmt.Fprintf(&page, "| %s |", n.name)
		for _, from := range allPhases {
			fmt.Fprintf(&page, " %s |", outcome(from, n.ev))
		}
		page.WriteString("\n")
	}
	page.WriteString("\nWhat follows from the end of a run, by what the engine tells about it.\n\n| what happened | the service was | told | then |\n|---|---|---|---|\n")
	for _, e := range ends {
		m, _ := steps(e.from(), e.events...)
		then := string(m.Phase)
		if m.StoppedBy != "" {
			then += ", stopped by " + m.StoppedBy
		}
		from := e.from()
		was := string(from.Phase)
		switch {
		case from.OneShot:
			was += ", one-shot"
		case !from.Checked:
			was += ", cannot be asked"
		}
		var told []string
		for _, ev := range e.events {
			told = append(told, inWords(ev))
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s |\n", e.name, was, strings.Join(told, ", "), then)
	}
	return page.String()
}

// ways names the events that lead from one phase to another, each once, in its plainest circumstances.
func ways(from, to Phase) []string {
	var labels []string
	for _, n := range named {
		for _, c := range circumstances {
			m := inPhase(from)
			c.change(&m)
			if next, _ := m.Step(n.ev); next.Phase != to {
				continue
			}
			label := n.name
			if c.words != "" {
				label += " (" + c.words + ")"
			}
			labels = append(labels, label)
			break
		}
	}
	return labels
}

// outcome is what an event does in a phase: the new phase and the effects, then what circumstances change about it.
func outcome(from Phase, ev Event) string {
	var parts []string
	plain := from
	for _, c := range circumstances {
		m := inPhase(from)
		c.change(&m)
		next, effects := m.Step(ev)
		if c.words == "" {
			plain = next.Phase
			if next.Phase != from {
				parts = append(parts, "**"+string(next.Phase)+"**")
			}
			for _, e := range effects {
				parts = append(parts, reflect.TypeOf(e).Name())
			}
		} else if next.Phase != plain && next.Phase != from {
			parts = append(parts, "("+c.words+": **"+string(next.Phase)+"**)")
		}
	}
	return strings.Join(parts, " ")
}

// inWords is an event as the engine tells it, or a look.
func inWords(ev Event) string {
	switch ev := ev.(type) {
	case Killed:
		return "kill " + ev.Signal
	case Died:
		if ev.State == "exited" {
			return fmt.Sprintf("die %d", ev.Code)
		}
		return fmt.Sprintf("die %d (%s)", ev.Code, ev.State)
	case StopDone:
		return "stop"
	case Removed:
		return "destroy"
	case OutOfMemory:
		return "oom"
	case Seen:
		return "seen " + ev.State
	case Absent:
		return "seen absent"
	}
	return reflect.TypeOf(ev).Name()
}
