package monit

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"devstack/daemon/api"
)

// Options are what Run shows, and where.
type Options struct {
	Client  *api.Client
	State   *api.State // the first to show; never nil
	Environ []string   // handed to what is started from here, KEY=VALUE
	Color   bool

	In  io.Reader // a terminal
	Out io.Writer // a terminal
}

// Run shows the dashboard until the user quits, then the terminal is as before. The end of ctx ends it in the same way,
// with ctx's error. What was begun from the keyboard goes on in the daemon.
func Run(ctx context.Context, o Options) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	// Sixteen colours are all that is used. Left to itself, bubbletea would run `tmux info` to find out about more.
	profile := colorprofile.ASCII
	if o.Color {
		profile = colorprofile.ANSI
	}
	program := tea.NewProgram(newModel(asking, o, time.Now()),
		tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithColorProfile(profile), tea.WithInput(o.In), tea.WithOutput(o.Out))
	_, err := program.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
