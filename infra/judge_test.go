package infra

import (
	"testing"

	"devstack/view"
)

func TestJudgeDeath(t *testing.T) {
	event := func(action, signal string) EngineEvent { return EngineEvent{Action: action, Signal: signal} }
	die, stop, destroy := event("die", ""), event("stop", ""), event("destroy", "")
	for _, test := range []struct {
		name string
		d    death
		want verdict
	}{
		{"docker stop, before the stop event", death{Events: []EngineEvent{event("kill", "15"), die}, State: "exited"}, decided},
		{"docker stop", death{Events: []EngineEvent{event("kill", "15"), die, stop}, State: "exited"}, decided},
		{"docker stop that ran into its grace period", death{Events: []EngineEvent{event("kill", "15"), event("kill", "9"), die, stop}, State: "exited"}, decided},
		{"docker compose down", death{Events: []EngineEvent{event("kill", "15"), die, stop, destroy}, State: view.Absent}, decided},
		{"docker stop with a stop signal of its own", death{Events: []EngineEvent{event("kill", "2"), die}, State: "exited", StopSignal: "SIGINT"}, decided},
		{"SIGTERM to a container whose stop signal is another", death{Events: []EngineEvent{event("kill", "15"), die}, State: "exited", StopSignal: "SIGINT"}, repair},
		{"docker kill -s TERM", death{Events: []EngineEvent{event("kill", "15"), die}, State: "exited"}, decided},
		{"docker kill", death{Events: []EngineEvent{event("kill", "9"), die}, State: "exited", ExitCode: 137}, repair},
		{"docker kill where SIGKILL is the stop signal", death{Events: []EngineEvent{event("kill", "9"), die}, State: "exited", StopSignal: "KILL"}, repair},
		{"docker stop where SIGKILL is the stop signal", death{Events: []EngineEvent{event("kill", "9"), die, stop}, State: "exited", StopSignal: "KILL"}, decided},
		{"docker rm -f", death{Events: []EngineEvent{event("kill", "9"), die, destroy}, State: view.Absent}, repair},
		{"docker rm -f, while it is removed", death{Events: []EngineEvent{event("kill", "9"), die}, State: "removing"}, repair},
		{"a crash without a restart policy", death{Events: []EngineEvent{die}, State: "exited", ExitCode: 1}, repair},
		{"a clean exit of a server", death{Events: []EngineEvent{die}, State: "exited"}, repair},
		{"a crash that the engine restarts", death{Events: []EngineEvent{die}, State: "restarting", ExitCode: 1}, engineTurn},
		{"a crash that the engine has restarted", death{Events: []EngineEvent{die}, State: "running", ExitCode: 1}, engineTurn},
		{"a crash after the engine's last attempt", death{Events: []EngineEvent{die}, State: "exited", ExitCode: 1}, repair},
		{"out of memory", death{Events: []EngineEvent{event("oom", ""), die}, State: "exited", ExitCode: 137}, repair},
		{"a death while the engine was down", death{State: "exited"}, repair},
		{"a one-shot that is done", death{Events: []EngineEvent{die}, State: "exited", OneShot: true}, completed},
		{"a one-shot that failed", death{Events: []EngineEvent{die}, State: "exited", ExitCode: 3, OneShot: true}, failed},
		{"a one-shot that was stopped", death{Events: []EngineEvent{event("kill", "15"), die, stop}, State: "exited", ExitCode: 143, OneShot: true}, decided},
	} {
		if got := judgeDeath(test.d); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestSignalNumber(t *testing.T) {
	for text, want := range map[string]int{"": 15, "15": 15, "TERM": 15, "SIGTERM": 15, "sigint": 2, "SIGKILL": 9, "SIGNOTHING": 0} {
		if got := signalNumber(text); got != want {
			t.Errorf("signalNumber(%q) = %d, want %d", text, got, want)
		}
	}
}
