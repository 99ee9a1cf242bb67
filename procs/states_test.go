package procs

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

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
