package procs

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"devstack/view"
)

var update = flag.Bool("update", false, "write docs/states.md anew")

// TestStatesDiagram keeps docs/states.md what Step does: go test ./procs -run TestStatesDiagram -update
func TestStatesDiagram(t *testing.T) {
	const path = "../docs/states.md"
	want := statesPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/states.md is stale (%v); run: go test ./procs -run TestStatesDiagram -update", err)
	}
}

// variants are the circumstances that lead to other states than those of an ordinary app with an open gate.
var variants = []struct {
	words  string
	change func(*Machine)
}{
	{"", func(*Machine) {}},
	{"gate closed", func(m *Machine) { m.Closed = true }},
	{"one too many", func(m *Machine) { m.Unstable = m.Policy.MaxRestarts }},
	{"no delay", func(m *Machine) { m.Policy.RestartDelay = nil }},
	{"no autorestart", func(m *Machine) { m.Policy.Autorestart = false }},
	{"ended by itself", func(m *Machine) { m.Ended = m.State == view.Stopped }},
	{"one_shot", func(m *Machine) { m.Policy.OneShot = true }},
	{"to run again", func(m *Machine) { m.Again = m.State == view.Stopping }},
	{"done", func(m *Machine) { m.Ended = m.State == view.Completed }},
	{"to run again, gate closed", func(m *Machine) { m.Again = m.State == view.Stopping; m.Closed = m.Again }},
}

func statesPage() string {
	var page strings.Builder
	page.WriteString(`# States of a process

Generated from ` + "`procs.Machine.Step`" + ` by ` + "`go test ./procs -run TestStatesDiagram -update`" + `; do not edit.

` + "```mermaid\nstateDiagram-v2\n" + `    waiting_restart: waiting restart
    [*] --> stopped
`)
	for _, from := range allStates {
		for _, to := range allStates {
			if labels := movesBetween(from, to); len(labels) > 0 && from != to {
				fmt.Fprintf(&page, "    %s --> %s: %s\n", mermaidName(from), mermaidName(to), strings.Join(labels, " / "))
			}
		}
	}
	page.WriteString("```\n\nWhat each event does to an app that restarts after 4 s and whose gate is open; empty: nothing. An `Exited` is\n" +
		"an unstable one. Where circumstances lead elsewhere, they are named in brackets.\n\n| event |")
	for _, s := range allStates {
		fmt.Fprintf(&page, " %s |", s)
	}
	page.WriteString("\n|---|" + strings.Repeat("---|", len(allStates)) + "\n")
	for _, ev := range allEvents() {
		fmt.Fprintf(&page, "| %s |", eventName(ev))
		for _, from := range allStates {
			fmt.Fprintf(&page, " %s |", cell(from, ev))
		}
		page.WriteString("\n")
	}
	page.WriteString(reloadTable())
	return page.String()
}

func mermaidName(s view.Status) string { return strings.ReplaceAll(string(s), " ", "_") }

// movesBetween names the events that lead from one state to another, each once, in its plainest circumstances.
func movesBetween(from, to view.Status) []string {
	var labels []string
	for _, ev := range allEvents() {
		for _, v := range variants {
			m := machineIn(from)
			v.change(&m)
			if next, _ := m.Step(ev); next.State != to {
				continue
			}
			label := eventName(ev)
			if v.words != "" {
				label += " (" + v.words + ")"
			}
			labels = append(labels, label)
			break
		}
	}
	return labels
}

// cell is what an event does in a state: the new state and the effects, then what circumstances change about it.
func cell(from view.Status, ev Event) string {
	var parts []string
	plain := ""
	for _, v := range variants {
		m := machineIn(from)
		v.change(&m)
		next, effects := m.Step(ev)
		what := ""
		if next.State != from {
			what = "**" + string(next.State) + "**"
		}
		if len(effects) > 0 && v.words == "" {
			what = strings.TrimSpace(what + " " + effectNames(effects))
		}
		if v.words == "" {
			plain = string(next.State)
			if what != "" {
				parts = append(parts, what)
			}
			continue
		}
		if string(next.State) != plain && next.State != from {
			parts = append(parts, "("+v.words+": **"+string(next.State)+"**)")
		}
	}
	return strings.Join(parts, " ")
}

// besides are where a reload can be: which launches an online app has beside the one that serves.
var besides = []struct {
	words  string
	change func(*Machine)
}{
	{"alone", func(*Machine) {}},
	{"heir launched", func(m *Machine) { m.Heir = Heir{Gen: heirGen}; m.Newest = heirGen }},
	{"heir ready", func(m *Machine) { m.Heir = Heir{Gen: heirGen, Ready: true, Listens: true}; m.Newest = heirGen }},
	{"old one drains", func(m *Machine) { m.Retired = Retired{Gen: retiredGen} }},
	{"old one is ended", func(m *Machine) { m.Retired = Retired{Gen: retiredGen, Signalled: true} }},
}

// retiredGen is of a launch that testGen has replaced.
const retiredGen = testGen - 1

// reloadEvents are what a reload consists of, by the launch that they are about.
func reloadEvents() []reloadEvent {
	exited := func(gen int64) Event { return Exited{Gen: gen, Code: 1, Uptime: time.Second} }
	return []reloadEvent{
		{"", Reload{}},
		{"", Stop{}},
		{"", Leave{}},
		{"", Restart{}},
		{"the one that serves", Listening{testGen}},
		{"the one that serves", exited(testGen)},
		{"heir", Listening{heirGen}},
		{"heir", Ready{Gen: heirGen}},
		{"heir", Elapsed{heirGen, SettleTimer}},
		{"heir", Elapsed{heirGen, ListenTimer}},
		{"heir", Unhealthy{heirGen}},
		{"heir", LaunchFailed{Gen: heirGen}},
		{"heir", exited(heirGen)},
		{"old one", Drained{retiredGen}},
		{"old one", Elapsed{retiredGen, DrainTimer}},
		{"old one", Elapsed{retiredGen, KillTimer}},
		{"old one", exited(retiredGen)},
	}
}

type reloadEvent struct {
	about string // which launch; empty: somebody asked for it
	event Event
}

// reloadTable is what happens to launches beside the one that serves, of which the state says nothing.
func reloadTable() string {
	var page strings.Builder
	page.WriteString(`
# A reload

A reload of an app that is online, and listens on a socket that outlives its launches, runs a second launch beside the one that
serves: its heir. The status stays what it is for the launch that serves. The columns are the launches beside it; a cell says which
column, or which state, an event leads to, and its effects. What else an event does to the one that serves is in the table above.

| event |`)
	for _, b := range besides {
		page.WriteString(" " + b.words + " |")
	}
	page.WriteString("\n|---|" + strings.Repeat("---|", len(besides)) + "\n")
	for _, ev := range reloadEvents() {
		name := eventName(ev.event)
		if ev.about != "" {
			name += " (" + ev.about + ")"
		}
		fmt.Fprintf(&page, "| %s |", name)
		for _, b := range besides {
			m := serving()
			if ev.event == Event(Listening{testGen}) {
				m.Listens = false
			}
			b.change(&m)
			next, effects := m.Step(ev.event)
			fmt.Fprintf(&page, " %s |", strings.TrimSpace(besideMove(m, next)+" "+effectNames(effects)))
		}
		page.WriteString("\n")
	}
	return page.String()
}

// besideMove says in bold what a step has changed about the launches: the column, the state, that a socket is held.
func besideMove(before, now Machine) string {
	var moves []string
	if from, to := besideOf(before), besideOf(now); from != to {
		moves = append(moves, to)
	}
	if before.State != now.State {
		moves = append(moves, string(now.State))
	}
	if before.Gen != now.Gen && now.Gen == heirGen {
		moves = append(moves, "the heir serves")
	}
	if !before.Listens && now.Listens || !before.Heir.Listens && now.Heir.Listens {
		moves = append(moves, "its socket outlives it")
	}
	if before.Rejected != now.Rejected && now.Rejected.Gen != 0 {
		moves = append(moves, "the reload has failed")
	}
	if len(moves) == 0 {
		return ""
	}
	return "**" + strings.Join(moves, ", ") + "**"
}

// besideOf is the column that a machine is in.
func besideOf(m Machine) string {
	switch {
	case m.Heir.Gen != 0 && m.Heir.Ready:
		return "heir ready"
	case m.Heir.Gen != 0:
		return "heir launched"
	case m.Retired.Gen == heirGen:
		return "heir is ended"
	case m.Retired.Signalled:
		return "old one is ended"
	case m.Retired.Gen != 0:
		return "old one drains"
	}
	return "alone"
}
