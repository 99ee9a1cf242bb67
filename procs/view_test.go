package procs

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
	"devstack/view"
)

func TestHeldSockets(t *testing.T) {
	three := []keeper.Address{{Port: 3000}, {Host: "127.0.0.1", Port: 3000}, {Host: "127.0.0.1", Port: 3001}}
	for name, tc := range map[string]struct {
		app  stack.App
		want []view.Address
	}{
		"bound by the program":   {stack.App{}, []view.Address{{Host: "*", Port: 3000}, {Host: "127.0.0.1", Port: 3000}, {Host: "127.0.0.1", Port: 3001}}},
		"bound before the start": {stack.App{HoldPort: "true", Port: 3000}, []view.Address{{Host: "*", Port: 3000}, {Host: "127.0.0.1", Port: 3001}}},
	} {
		if got := (&launch{app: tc.app, listening: three}).held(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, not %v", name, got, tc.want)
		}
	}
}

func TestAnExitHasACodeOrASignalOrNeither(t *testing.T) {
	for want, e := range map[string]Exited{
		`{"code":0,"signal":null,`:            {},
		`{"code":3,"signal":null,`:            {Code: 3},
		`{"code":null,"signal":"SIGKILL",`:    {Code: -1, Signal: 9},
		`{"code":null,"signal":"signal 200",`: {Code: -1, Signal: 200},
		`{"code":null,"signal":null,`:         {Code: -1, Unknown: true},
	} {
		got, err := json.Marshal(exitOf(Record{Exit: e, Reason: view.Crash}, time.Unix(0, 0)))
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%+v is %s, %v, not %s", e, got, err, want)
		}
	}
}

func TestAnExitIsRecordedWithWhetherItsLaunchWasReady(t *testing.T) {
	heir := Heir{Gen: testGen + 1}
	for _, tc := range []struct {
		name  string
		from  Machine
		ready bool
	}{
		{"launching", Machine{State: view.Launching}, false},
		{"online", Machine{State: view.Online, Ready: true}, true},
		{"unhealthy since", Machine{State: view.Online}, false},
		{"stopping", Machine{State: view.Stopping, Reason: view.Manual}, false},
		{"online, and its heir is not ready", Machine{State: view.Online, Ready: true, Heir: heir}, true},
	} {
		tc.from.Gen, tc.from.Policy = testGen, testPolicy()
		_, effects := tc.from.Step(Exited{Gen: testGen, Code: 1, Uptime: time.Minute})
		i := slices.IndexFunc(effects, func(e Effect) bool { _, is := e.(Record); return is })
		if i < 0 || effects[i].(Record).Ready != tc.ready {
			t.Errorf("%s: %+v", tc.name, effects)
		}
	}
}
