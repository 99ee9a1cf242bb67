package monit

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"devstack/daemon/api"
)

// model is everything that the screen shows. It changes in Update alone.
type model struct {
	ctx     context.Context // ends with the program
	client  *api.Client
	environ []string

	width, height int
	state         *api.State
	table
	link link
	logs logs
	note note
}

// link is how the daemon is reached.
type link struct {
	fetching bool      // a question is under way
	again    bool      // something changed meanwhile
	tick     int       // the only tick that counts; older ones are void
	failures int       // questions in a row without an answer
	since    time.Time // of the first of them
	trouble  string
}

// note is the last thing that was said.
type note struct {
	text string
	tone tone
}

func newModel(ctx context.Context, o Options, now time.Time) *model {
	m := &model{ctx: ctx, client: o.Client, environ: o.Environ}
	m.state, m.rows = o.State, rowsOf(o.State, now)
	m.logs.following = true
	return m
}

// Init asks for everything that changes.
func (m *model) Init() tea.Cmd {
	return func() tea.Msg { return beginMsg{} }
}

// View is the screen. The alternate one leaves the terminal as it was.
func (m *model) View() tea.View {
	view := tea.NewView(m.screen())
	view.AltScreen = true
	view.WindowTitle = "devstack monit"
	return view
}
