package monit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"devstack/daemon/api"
	"devstack/view"
)

// Update takes over what a message says and names what to do next.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, nil
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case tea.PasteMsg:
		if m.logs.typing {
			m.logs.setFilter(m.logs.filter + clean(msg.Content))
		}
		return m, nil
	case beginMsg:
		return m, tea.Batch(m.poll(), m.watch(), m.selectLogs())
	case tickMsg:
		if msg.tick != m.link.tick {
			return m, nil
		}
		return m, m.poll()
	case stateMsg:
		return m, m.answered(msg)
	case eventsMsg:
		return m, m.happened(msg)
	case logsMsg:
		return m, m.written(msg)
	case actedMsg:
		return m, m.acted(msg)
	}
	return m, nil
}

// poll asks for the state; while an answer is awaited, it asks once more after that.
func (m *model) poll() tea.Cmd {
	if m.link.fetching {
		m.link.again = true
		return nil
	}
	m.link.fetching, m.link.again = true, false
	m.link.tick++
	return m.fetch()
}

func (m *model) answered(msg stateMsg) tea.Cmd {
	m.link.fetching = false
	if msg.err == nil && msg.state.Project == "" && len(m.rows) > 0 { // a daemon that is leaving, or has just come
		msg.err = api.ErrNotRunning
	}
	if msg.err != nil {
		m.link.failures++
		if m.link.failures == 1 {
			m.link.since = msg.at
		}
		m.link.trouble = "The daemon does not answer"
		if errors.Is(msg.err, api.ErrNotRunning) {
			m.link.trouble = "No stack is running here"
		}
		return after(backoff(m.link.failures), m.link.tick)
	}
	before := m.state.Daemon
	if now := msg.state.Daemon; before != nil && now != nil && before.Pid != now.Pid {
		m.note = note{fmt.Sprintf("The daemon was restarted: pid %d, now %d", before.Pid, now.Pid), warn}
	} else if m.link.failures > 0 {
		m.note = note{"The daemon answers again", good}
	}
	m.link.failures, m.link.trouble = 0, ""
	key := m.current().key
	m.state = msg.state
	m.show(rowsOf(msg.state, msg.at))
	var tail tea.Cmd
	if m.current().key != key || m.logs.ended != "" {
		tail = m.selectLogs()
	}
	if m.link.again {
		return tea.Batch(tail, m.poll())
	}
	return tea.Batch(tail, after(pollEvery, m.link.tick))
}

// happened asks for the state when an event says that it is another one.
func (m *model) happened(msg eventsMsg) tea.Cmd {
	if msg.err != nil { // nothing listens: the poll says so
		if m.ctx.Err() != nil {
			return nil
		}
		watch := m.watch()
		return tea.Tick(maxBackoff, func(time.Time) tea.Msg { return watch() })
	}
	more := func() tea.Msg { return nextEvents(msg.more) }
	changed := false
	for _, e := range msg.events {
		changed = changed || slices.Contains([]view.Kind{view.KindService, view.KindProcess, view.KindReady, view.KindReload, view.KindWaiting}, e.Kind)
		if text := alarm(e); text != "" {
			m.note = note{e.Time.Local().Format(time.TimeOnly) + " " + clean(text), bad}
		}
	}
	if changed {
		return tea.Batch(more, m.poll())
	}
	return more
}

// alarm is what an event says that nobody asked for, whichever row is selected; empty for all others.
func alarm(e api.Event) string {
	switch {
	case e.Kind == view.KindWarning:
		return e.Message
	case e.Kind == view.KindProcess && (e.To == "errored" || e.To == "waiting restart" || e.Exit != nil && e.Exit.Reason == view.Crash),
		e.Kind == view.KindService && toneOf(e.To) == bad:
		return sentence([]string{e.Resource + " is " + e.To, e.Cause})
	}
	return ""
}

// selectLogs begins the logs of the selected row anew, and ends those of the one before.
func (m *model) selectLogs() tea.Cmd {
	m.logs.begin()
	if len(m.rows) == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(m.ctx)
	m.logs.stop = stop
	return m.tail(ctx, m.current().key)
}

func (m *model) written(msg logsMsg) tea.Cmd {
	if msg.generation != m.logs.generation {
		return nil
	}
	m.logs.add(msg.records)
	if msg.err != nil { // begins again with the next answer of a daemon
		m.logs.ended = clean(msg.err.Error())
		return nil
	}
	return func() tea.Msg { return nextLogs(msg.more, msg.generation) }
}

func (m *model) acted(msg actedMsg) tea.Cmd {
	m.note = msg.outcome()
	if msg.action.verb == api.Flush && msg.succeeded() && msg.row.key == m.current().key {
		return tea.Batch(m.selectLogs(), m.poll())
	}
	return m.poll()
}

// key does what a key means.
func (m *model) key(msg tea.KeyPressMsg) tea.Cmd {
	if msg.String() == "ctrl+c" {
		return tea.Quit
	}
	if m.logs.typing {
		m.logs.typed(msg)
		return nil
	}
	page := max(1, m.layout().logRows-1)
	switch msg.String() {
	case "q":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "up", "k":
		return m.selectRow(-1)
	case "down", "j":
		return m.selectRow(1)
	case "pgup":
		m.logs.scroll(page)
	case "pgdown", "space":
		m.logs.scroll(-page)
	case "home":
		m.logs.scroll(keep)
	case "end":
		m.logs.scroll(-keep)
	case "f":
		m.logs.toggle()
	case "/":
		m.logs.typing = true
	case "enter":
		m.logs.alone = !m.logs.alone
	case "esc":
		if !m.logs.escape() {
			m.note = note{}
		}
	default:
		if a, ok := actionOf(msg.String()); ok && len(m.rows) > 0 {
			r := m.current()
			m.note = note{r.name + ": " + a.doing + " …", warn}
			return m.act(a, r)
		}
	}
	return nil
}

// selectRow selects another row, whose logs begin.
func (m *model) selectRow(by int) tea.Cmd {
	if !m.move(by) {
		return nil
	}
	return m.selectLogs()
}
