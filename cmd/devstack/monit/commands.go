package monit

import (
	"context"
	"errors"
	"iter"
	"time"

	tea "charm.land/bubbletea/v2"

	"devstack/daemon/api"
)

const (
	pollEvery    = time.Second     // CPU and memory change without an event
	answerWithin = 2 * time.Second // a daemon that takes longer does not answer
	minBackoff   = 500 * time.Millisecond
	maxBackoff   = 5 * time.Second
	history      = 200 // lines of each stream that a selection begins with
)

// Messages, by the command that sends them.
type (
	beginMsg struct{}           // the program runs
	tickMsg  struct{ tick int } // it is time to ask
	stateMsg struct {
		state *api.State // nil with an error
		err   error
		at    time.Time
	}
	eventsMsg struct {
		events []api.Event
		err    error // the stream has ended
		more   *stream[api.Event]
	}
	logsMsg struct {
		generation int // of the selection that it is about
		records    []api.LogRecord
		err        error // the stream has ended
		more       *stream[api.LogRecord]
	}
	actedMsg struct {
		action action
		row    row
		result *api.Result
		err    error
	}
)

// fetch asks for the state.
func (m *model) fetch() tea.Cmd {
	ctx, client := m.ctx, m.client
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		state, err := client.State(ctx)
		return stateMsg{state, err, time.Now()}
	}
}

// after comes back when it is time to ask again.
func after(pause time.Duration, tick int) tea.Cmd {
	return tea.Tick(pause, func(time.Time) tea.Msg { return tickMsg{tick} })
}

// backoff is the pause after a number of failures in a row: 0.5, 1, 2, 4, 5, 5 s.
func backoff(failures int) time.Duration {
	return min(maxBackoff, minBackoff<<min(failures-1, 10))
}

// watch follows the events.
func (m *model) watch() tea.Cmd {
	ctx, client := m.ctx, m.client
	return func() tea.Msg { return nextEvents(open(ctx, client.Events(ctx, 0))) }
}

func nextEvents(s *stream[api.Event]) tea.Msg {
	events, err := s.next()
	return eventsMsg{events, err, s}
}

// tail follows the output of what commands call key, until ctx ends.
func (m *model) tail(ctx context.Context, key string) tea.Cmd {
	client, generation := m.client, m.logs.generation
	request := api.LogsRequest{Names: []string{key}, Lines: history, Follow: true}
	return func() tea.Msg { return nextLogs(open(ctx, client.Logs(ctx, request)), generation) }
}

func nextLogs(s *stream[api.LogRecord], generation int) tea.Msg {
	records, err := s.next()
	return logsMsg{generation, records, err, s}
}

// act carries out an action on a row.
func (m *model) act(a action, r row) tea.Cmd {
	ctx, client := m.ctx, m.client
	request := api.ActionRequest{Names: []string{r.key}, Environment: m.environ}
	return func() tea.Msg {
		result, err := client.Act(ctx, a.verb, request, func(api.Event) {})
		return actedMsg{a, r, result, err}
	}
}

// stream hands on what an endless sequence yields, in batches: a fast one costs one drawing for many values.
type stream[T any] struct {
	values chan T
	err    error // set before values is closed
}

// batch is how many values are handed on at once at the most.
const batch = 500

var errEnded = errors.New("the stream has ended")

// open reads seq until its first error or the end of ctx.
func open[T any](ctx context.Context, seq iter.Seq2[T, error]) *stream[T] {
	s := &stream[T]{values: make(chan T, batch), err: errEnded}
	go func() {
		defer close(s.values)
		for value, err := range seq {
			if err != nil {
				s.err = err
				return
			}
			select {
			case s.values <- value:
			case <-ctx.Done():
				s.err = ctx.Err()
				return
			}
		}
	}()
	return s
}

// next waits for a value and returns all that are there; an error is the end.
func (s *stream[T]) next() ([]T, error) {
	var values []T
	value, ok := <-s.values
	for ok {
		if values = append(values, value); len(values) == batch {
			return values, nil
		}
		select {
		case value, ok = <-s.values:
		default:
			return values, nil
		}
	}
	return values, s.err
}
