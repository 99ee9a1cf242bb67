package view

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The JSON is a contract: keys are added here and never renamed or taken out.
func TestKeysOnlyGrow(t *testing.T) {
	for _, tc := range []struct {
		value any
		keys  string
	}{
		{Process{}, "name namespace instance id pid status ready ready_by exec_mode restarts unstable_restarts uptime_ms started_at memory_bytes cpu_percent ports watching waiting_for exit"},
		{ProcessDetails{}, "children exits probes next_restart_at generation restarts_by_cause last_error held successor retiring_pid"},
		{Successor{}, "pid ready"},
		{Service{}, "name driver image id state stopped_by health engine_health ready ready_by ports restarts started_at memory_bytes cpu_percent"},
		{ServiceDetails{}, "container_name depends_on probes exits volumes networks detail stopped_at repair_attempts"},
		{DependsOn{}, "name condition open"},
		{Address{}, "host port"},
		{PublishedPort{}, "host_ip host_port container_port protocol"},
		{Exit{}, "code signal reason at"},
		{ExitRecord{}, "cause uptime_ms last_lines"},
		{Restarts{}, "crash manual watch memory cron liveness"},
		{Probe{}, "at ready detail"},
		{Event{}, "seq time resource instance kind from to cause message step progress"},
		{Step{}, "verb object name"},
		{Progress{}, "current total detail"},
	} {
		var got []string
		for f := range reflect.TypeOf(tc.value).Fields() {
			if !f.Anonymous {
				got = append(got, f.Tag.Get("json"))
			}
		}
		if want := strings.Fields(tc.keys); !slices.Equal(got, want) {
			t.Errorf("%T has the keys %v, not %v", tc.value, got, want)
		}
	}
}

func TestWhatIsNotKnownIsNull(t *testing.T) {
	got, err := json.Marshal(Exit{})
	if err != nil || !strings.HasPrefix(string(got), `{"code":null,"signal":null,`) {
		t.Errorf("%s, %v", got, err)
	}
	got, err = json.Marshal(Exit{Signal: `SIG"`})
	var back Exit
	if err := json.Unmarshal(got, &back); err != nil || back.Signal != `SIG"` {
		t.Errorf("%s came back as %+v, %v", got, back, err)
	}
	var service map[string]any
	if got, err = json.Marshal(NewService("redis")); err == nil {
		err = json.Unmarshal(got, &service)
	}
	for _, list := range []string{"ports", "depends_on", "probes", "exits", "volumes", "networks"} {
		if err != nil || service[list] == nil {
			t.Errorf("%s is null, %v", list, err)
		}
	}
}

func TestRestartsAreCountedByCause(t *testing.T) {
	var r Restarts
	for _, why := range []Reason{Crash, Manual, Watch, Memory, Cron, Liveness, Liveness} {
		r = r.Plus(why)
	}
	if r != (Restarts{1, 1, 1, 1, 1, 2}) || r.Total() != 7 {
		t.Errorf("%+v, together %d", r, r.Total())
	}
}
