package monit

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"devstack/daemon/api"
	"devstack/view"
)

func TestSelectionStaysWithItsRow(t *testing.T) {
	m := screenOf(t, 80, 24)
	press(m, "down", "down", "down") // the first instance of agent
	if m.current().key != "1" || m.rows[m.selected].name != "agent" {
		t.Fatalf("selected is %+v", m.rows[m.selected])
	}
	s := state()
	s.Services = s.Services[1:]
	send(m, stateMsg{state: s, at: now()})
	if m.current().key != "1" {
		t.Errorf("after a row above it went, selected is %q", m.current().key)
	}
	generation := m.logs.generation
	s = state()
	s.Processes = s.Processes[:1]
	send(m, stateMsg{state: s, at: now()})
	if m.current().key != "web" || m.logs.generation == generation {
		t.Errorf("after the row went, selected is %q, logs of generation %d", m.current().key, m.logs.generation)
	}
	generation = m.logs.generation
	press(m, "down", "down")
	if m.current().key != "web" || m.logs.generation != generation {
		t.Errorf("below the last row is %q, with logs of generation %d", m.current().key, m.logs.generation)
	}
}

func TestLogsOfAnotherSelectionAreVoid(t *testing.T) {
	m := screenOf(t, 80, 24)
	late := output(m, 1, 3)
	press(m, "down")
	send(m, late)
	if len(m.logs.lines) != 0 {
		t.Errorf("got %v", m.logs.lines)
	}
}

func TestHeldLogsStayWhereTheyAre(t *testing.T) {
	m := screenOf(t, 80, 24)
	send(m, output(m, 1, 100))
	press(m, "pgup")
	before := m.logs.pane(80, 5, true)
	send(m, output(m, 101, 200))
	if after := m.logs.pane(80, 5, true); !slices.Equal(before, after) {
		t.Errorf("was %q, is %q", before, after)
	}
	if m.logs.back != 100+m.layout().logRows-1 {
		t.Errorf("%d are below", m.logs.back)
	}
	press(m, "end")
	if got := m.logs.pane(80, 1, true); !m.logs.following || got[0] != "line 200" {
		t.Errorf("at the end: %q", got)
	}
	press(m, "home")
	if got := m.logs.pane(80, 3, true); !strings.Contains(got[0]+got[2], "line 1") || !strings.Contains(got[2], "line 3") {
		t.Errorf("at the top: %q", got)
	}
	press(m, "f")
	send(m, output(m, 201, 3000))
	if got := m.logs.pane(80, 1, true); len(m.logs.lines) != keep || got[0] != "line 3000" {
		t.Errorf("%d lines are kept, the last %q", len(m.logs.lines), got)
	}
}

func TestFilter(t *testing.T) {
	m := screenOf(t, 80, 24)
	send(m, output(m, 1, 30))
	press(m, "/", "L", "I", "N", "E", " ", "7", "7", "backspace", "q", "backspace", "enter")
	if got := m.logs.pane(80, 2, false); m.logs.typing || got[0] != "| line 7" && !strings.Contains(got[0], "line 7") || got[1] != "" {
		t.Errorf("filter %q shows %q", m.logs.filter, got)
	}
	press(m, "down")
	if m.logs.filter == "" {
		t.Error("the filter does not stay when another row is selected")
	}
	press(m, "/")
	send(m, tea.PasteMsg{Content: "x\x1b[2J\n"})
	if m.logs.filter != "LINE 7x" {
		t.Errorf("pasted: %q", m.logs.filter)
	}
	press(m, "esc")
	if m.logs.filter != "" || m.logs.typing {
		t.Errorf("esc leaves filter %q", m.logs.filter)
	}
}

func TestDaemonGoesAndComes(t *testing.T) {
	m := screenOf(t, 80, 24)
	rows := len(m.rows)
	send(m, stateMsg{err: context.DeadlineExceeded, at: now()}, tickMsg{m.link.tick},
		stateMsg{err: context.DeadlineExceeded, at: now().Add(time.Minute)})
	screen := m.View().Content
	if !strings.Contains(screen, "does not answer since 12:00:00") || !strings.Contains(screen, "not connected") || len(m.rows) != rows {
		t.Errorf("not connected, but:\n%s", screen)
	}
	s := state()
	s.Daemon.Pid = 11
	send(m, stateMsg{state: s, at: now()})
	if screen := m.View().Content; !strings.Contains(screen, "restarted: pid 10, now 11") || strings.Contains(screen, "not connected") {
		t.Errorf("connected again, but:\n%s", screen)
	}
	send(m, stateMsg{err: api.ErrNotRunning, at: now()}, stateMsg{state: s, at: now()})
	if screen := m.View().Content; !strings.Contains(screen, "answers again") {
		t.Errorf("connected again, but:\n%s", screen)
	}
	send(m, stateMsg{state: &api.State{Infra: "none", Daemon: &api.Daemon{Pid: 12}}, at: now()})
	if len(m.rows) != rows || m.link.trouble == "" {
		t.Errorf("a daemon without a stack leaves %d rows, trouble %q", len(m.rows), m.link.trouble)
	}
	var pauses []time.Duration
	for failures := 1; failures <= 6; failures++ {
		pauses = append(pauses, backoff(failures))
	}
	if want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v", pauses)
	}
}

// One question at a time, however many events come; and ticks of before count no more.
func TestOneQuestionAtATime(t *testing.T) {
	m := screenOf(t, 80, 24) // has begun to ask
	old := m.link.tick
	if m.poll() != nil || !m.link.again {
		t.Error("asks twice at once")
	}
	send(m, stateMsg{state: state(), at: now()})
	if !m.link.fetching || m.link.again || m.link.tick == old {
		t.Errorf("does not ask again: %+v", m.link)
	}
	send(m, stateMsg{state: state(), at: now()}, tickMsg{old})
	if m.link.fetching {
		t.Error("an old tick asks")
	}
	send(m, tickMsg{m.link.tick})
	if !m.link.fetching {
		t.Error("the tick does not ask")
	}
}

func TestAlarms(t *testing.T) {
	m := screenOf(t, 80, 24)
	send(m, stateMsg{state: state(), at: now()})
	for want, e := range map[string]view.Event{
		"e2e is errored · exited with code 1":     {Resource: "e2e", Kind: view.KindProcess, To: "errored", Cause: "exited with code 1"},
		"web is waiting restart · memory":         {Resource: "web", Kind: view.KindProcess, To: "waiting restart", Cause: "memory"},
		"leaver is stopped · exited with code 42": {Resource: "leaver", Kind: view.KindProcess, To: "stopped", Cause: "exited with code 42", Exit: &view.Exit{Reason: view.Crash}},
		"redis is unhealthy · does not answer":    {Resource: "redis", Kind: view.KindService, To: "unhealthy", Cause: "does not answer"},
		"the disk is full":                        {Kind: view.KindWarning, Message: "the disk is full"},
		"":                                        {Resource: "web", Kind: view.KindProcess, To: "stopped", Cause: "manual"},
	} {
		m.note = note{}
		e.Time = now()
		send(m, eventsMsg{events: []api.Event{{Event: e}}})
		if want != "" {
			want = "12:00:00 " + want
		}
		if m.note.text != want {
			t.Errorf("got %q, not %q", m.note.text, want)
		}
		if asked := m.link.fetching; asked != (e.Kind != view.KindWarning) && !m.link.again {
			t.Errorf("%s: asked is %v", e.Kind, asked)
		}
		m.link.fetching, m.link.again = false, false
	}
}

func TestKeysAct(t *testing.T) {
	m := screenOf(t, 80, 24)
	for _, a := range actions() {
		if cmd := press(m, a.key); cmd == nil || m.note.text != "postgres: "+a.doing+" …" {
			t.Errorf("%s: %q", a.key, m.note.text)
		}
	}
	for _, key := range []string{"q"} {
		if cmd := press(m, key); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%s does not quit", key)
		}
	}
	press(m, "/")
	if press(m, "q") != nil || m.logs.filter != "q" {
		t.Error("q quits while a filter is typed")
	}
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}); cmd == nil || cmd() != tea.Quit() {
		t.Error("Ctrl-C does not quit")
	}
}

func TestFlushedLogsBeginAnew(t *testing.T) {
	m := screenOf(t, 80, 24)
	press(m, "down", "down")
	send(m, output(m, 1, 5))
	flushed, _ := actionOf("F")
	send(m, actedMsg{action: flushed, row: m.rows[0], result: &api.Result{}},
		actedMsg{action: flushed, row: m.rows[2], result: &api.Result{Exit: api.ExitBug}})
	if len(m.logs.lines) != 5 {
		t.Errorf("another row's flush, or one that failed, leaves %d lines", len(m.logs.lines))
	}
	send(m, actedMsg{action: flushed, row: m.rows[2], result: &api.Result{}})
	if len(m.logs.lines) != 0 {
		t.Errorf("%d lines are left", len(m.logs.lines))
	}
}

// Nothing is lost between batches, and the end comes after the last value.
func TestStream(t *testing.T) {
	broken := errors.New("broken")
	var numbers iter.Seq2[int, error] = func(yield func(int, error) bool) {
		for i := range 3*batch + 7 {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, broken)
	}
	s := open(t.Context(), numbers)
	var got []int
	var err error
	for err == nil {
		var values []int
		values, err = s.next()
		got = append(got, values...)
	}
	if len(got) != 3*batch+7 || got[len(got)-1] != 3*batch+6 || !slices.IsSorted(got) || !errors.Is(err, broken) {
		t.Errorf("got %d values, %v", len(got), err)
	}
}

// A reader that has gone leaves no goroutine behind: the channel is closed.
func TestStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var endless iter.Seq2[int, error] = func(yield func(int, error) bool) {
		for yield(1, nil) {
		}
	}
	s := open(ctx, endless)
	cancel()
	for range s.values { // until it is closed
	}
	if !errors.Is(s.err, context.Canceled) {
		t.Errorf("ended with %v", s.err)
	}
}
