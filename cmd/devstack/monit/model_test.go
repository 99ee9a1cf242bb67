package monit

import (
	"fmt"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"devstack/daemon/api"
	"devstack/view"
)

// now is the time of all tests here.
func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local) }

// state is a stack with one of everything that a row can show.
func state() *api.State {
	at := func(ago time.Duration) *time.Time { t := now().Add(-ago); return &t }
	process := func(id int, name string, status view.Status) view.Process {
		return view.Process{ID: id, Name: name, Status: status, StartedAt: at(90 * time.Second)}
	}
	web, agent, crashed, waiting := process(0, "web", "online"), process(1, "agent", "online"), process(3, "e2e", "errored"), process(4, "report", "waiting")
	web.Pid, web.Ready, web.MemoryBytes, web.CPUPercent = new(4711), true, new(int64(85<<20)), new(12.4)
	web.Ports = []view.Address{{Port: 3000}, {Port: 3000}, {Port: 80}}
	agent.Pid, agent.Restarts = new(4712), 3
	second := agent
	second.ID, second.Instance, second.Ready = 2, 1, true
	crashed.Exit = &view.Exit{Code: new(42), Reason: "crash", At: now()}
	waiting.WaitingFor = []string{"redis", "web"}
	return &api.State{
		Project: "shop", Profile: "dev", Infra: "docker", Daemon: &api.Daemon{Pid: 10},
		Services: []view.Service{
			{
				Name: "postgres", Image: "postgres:16", State: "running", Health: "healthy", Ready: true, StartedAt: at(50 * time.Hour),
				MemoryBytes: new(int64(23 << 20)), CPUPercent: new(1.6),
				Ports: []view.PublishedPort{{HostPort: 5433}},
			},
			{Name: "redis", Image: "redis:7", State: "exited", Health: "stopped", StoppedBy: "other", StartedAt: at(time.Hour)},
		},
		Processes: []view.Process{web, agent, second, crashed, waiting},
	}
}

// screenOf is a dashboard of state() on a screen of a size. Its commands are never run: nothing is asked.
func screenOf(t *testing.T, width, height int) *model {
	t.Helper()
	m := newModel(t.Context(), Options{State: state()}, now())
	send(m, beginMsg{}, tea.WindowSizeMsg{Width: width, Height: height})
	return m
}

func send(m *model, messages ...tea.Msg) {
	for _, msg := range messages {
		m.Update(msg)
	}
}

// press types keys, each as bubbletea names it.
func press(m *model, keys ...string) (last tea.Cmd) {
	special := map[string]rune{
		"up": tea.KeyUp, "down": tea.KeyDown, "enter": tea.KeyEnter, "esc": tea.KeyEscape, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
		"home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace,
	}
	for _, key := range keys {
		k := tea.KeyPressMsg{Code: special[key]}
		if k.Code == 0 {
			k = tea.KeyPressMsg{Code: rune(key[0]), Text: key}
		}
		_, last = m.Update(k)
	}
	return last
}

// output is a batch of lines of the selected row: line 1, line 2 …
func output(m *model, from, to int) logsMsg {
	msg := logsMsg{generation: m.logs.generation}
	for i := from; i <= to; i++ {
		msg.records = append(msg.records, api.LogRecord{Type: []string{"out", "err"}[i%2], Message: fmt.Sprintf("line %d", i)})
	}
	return msg
}
