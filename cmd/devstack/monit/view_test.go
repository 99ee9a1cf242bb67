package monit

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"devstack/daemon/api"
	"devstack/view"
)

// update writes the golden files: go test ./cmd/devstack/monit -update.
var update = flag.Bool("update", false, "write the golden files")

// golden compares a screen, without its colours, with testdata/NAME.txt. It fills the terminal and nothing more.
func golden(t *testing.T, name string, m *model) {
	t.Helper()
	content := m.View().Content
	lines := strings.Split(ansi.Strip(content), "\n")
	for i, line := range lines {
		if width := ansi.StringWidth(line); width > m.width {
			t.Errorf("%s: line %d is %d wide: %q", name, i+1, width, line)
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	if len(lines) != m.height {
		t.Errorf("%s: %d lines, not %d", name, len(lines), m.height)
	}
	got, path := strings.Join(lines, "\n")+"\n", filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as expected.\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestScreens(t *testing.T) {
	for name, size := range map[string]tea.WindowSizeMsg{
		"80x24": {Width: 80, Height: 24}, "120x30": {Width: 120, Height: 30}, "160x48": {Width: 160, Height: 48},
	} {
		m := screenOf(t, size.Width, size.Height)
		press(m, "down", "down")
		send(m, output(m, 1, 4), logsMsg{generation: m.logs.generation, records: []api.LogRecord{
			{Type: "err", Message: strings.Repeat("a long line goes on ", 6)},
			{Type: "out", Message: "\x1b[31mred\x1b[0m\x1b[2J and\ta tab, \x1b]0;title\x07 日本語 \u202eturned\x00"},
		}})
		golden(t, name, m)
	}
}

func TestScreensInOtherMoods(t *testing.T) {
	m := screenOf(t, 80, 24)
	send(m, stateMsg{err: api.ErrNotRunning, at: now()})
	golden(t, "not-connected", m)

	m = screenOf(t, 80, 24)
	press(m, "down", "down", "down", "down", "down")
	send(m, output(m, 1, 40))
	press(m, "/", "3", "enter", "pgup", "x")
	golden(t, "filtered-and-held", m)

	press(m, "enter", "/")
	golden(t, "alone", m)

	m = screenOf(t, 80, 24)
	many := state()
	for i := range 20 {
		many.Processes = append(many.Processes, view.Process{ID: 100 + i, Name: "worker", Instance: i, Status: "online"})
	}
	send(m, stateMsg{state: many, at: now()})
	for range 20 {
		press(m, "down")
	}
	golden(t, "many-rows", m)

	m = screenOf(t, 80, 24)
	send(m, stateMsg{state: &api.State{Project: "empty", Profile: "dev", Infra: "none"}, at: now()})
	press(m, "down", "s", "pgup", "home")
	golden(t, "empty", m)
}

func TestSmallTerminalsGetASentence(t *testing.T) {
	m := screenOf(t, 79, 24)
	want := "devstack monit needs 80×24 characters, here are 79×24. q quits."
	if got := m.View().Content; got != want {
		t.Errorf("got %q", got)
	}
	send(m, tea.WindowSizeMsg{Width: 20, Height: 5})
	if got := m.View().Content; ansi.StringWidth(strings.Split(got, "\n")[0]) > 20 {
		t.Errorf("too wide: %q", got)
	}
}

func TestClean(t *testing.T) {
	for _, c := range [][2]string{
		{"plain", "plain"},
		{"\x1b[1;31mred\x1b[0m", "red"},
		{"a\x1b[2Jb\x1b[10;10Hc", "abc"},
		{"\x1b]52;c;aGk=\x07clip", "clip"},
		{"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"a\rb\bc\x00\x7f", "abc"},
		{"\u009b31mc1", "31mc1"},
		{"tab\tbed", "tab    bed"},
		{"bidi \u202eabc\u2066", "bidi abc"},
		{"bad \xff utf", "bad \ufffd utf"},
		{"\u65e5\u672c é", "\u65e5\u672c é"},
		{strings.Repeat("x", maxLength+1), strings.Repeat("x", maxLength-1) + "…"},
	} {
		if got := clean(c[0]); got != c[1] {
			t.Errorf("clean(%q) = %q, not %q", c[0], got, c[1])
		}
	}
}

func TestOutcomes(t *testing.T) {
	restart, _ := actionOf("r")
	for want, msg := range map[string]actedMsg{
		"web: restarted": {result: &api.Result{}},
		"web: cannot restart: it does not stay up; next: devstack logs web": {
			result: &api.Result{Exit: api.ExitProcess, Error: "it does not stay up", Hint: "devstack logs web"},
		},
		"web: cannot restart: exited with code 1": {
			result: &api.Result{Exit: api.ExitProcess, Failures: []api.Failure{{Message: "exited with code 1"}}},
		},
		"web: cannot restart: no app; next: known: api": {err: &api.Error{Message: "no app", Hint: "known: api"}},
		"web: cannot restart: gone":                     {err: errors.New("gone")},
	} {
		msg.action, msg.row = restart, row{name: "web"}
		if got := msg.outcome(); got.text != want {
			t.Errorf("got %q, not %q", got.text, want)
		}
	}
}
