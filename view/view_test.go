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
		{ExitRecord{}, "cause uptime_ms last_lines log_files was_ready beside dependency_down"},
		{Count{}, "cause count"},
		{Restarts{}, "exited crash manual watch memory cron liveness"},
		{Probe{}, "at ready detail"},
		{Event{}, "seq time resource instance kind from to cause message step progress exit"},
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
	var back Exit
	if got, err = json.Marshal(Exit{Signal: `SIG"`}); err == nil {
		err = json.Unmarshal(got, &back)
	}
	if err != nil || back.Signal != `SIG"` {
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
	if r != (Restarts{Crash: 1, Manual: 1, Watch: 1, Memory: 1, Cron: 1, Liveness: 2}) || r.Total() != 7 {
		t.Errorf("%+v, together %d", r, r.Total())
	}
	if counts := r.Counts(); len(counts) != 6 || counts[0] != (Count{Liveness, 2}) || counts[1] != (Count{Crash, 1}) {
		t.Errorf("counts %v", counts)
	}
	exits := []ExitRecord{{Exit: Exit{Reason: Exited}}, {Exit: Exit{Reason: Manual}}, {Exit: Exit{Reason: Exited}}, {Exit: Exit{Reason: "of a newer devstack"}}}
	if got := CountReasons(exits); !slices.Equal(got, []Count{{Exited, 2}, {Manual, 1}}) {
		t.Errorf("counts %v", got)
	}
}

func TestEnding(t *testing.T) {
	for want, e := range map[string]ExitRecord{
		"exited with code 0":                               {Exit: Exit{Code: new(0), Reason: Exited}},
		"exited with code 3":                               {Exit: Exit{Code: new(3), Reason: Crash}},
		"was killed by SIGKILL":                            {Exit: Exit{Signal: "SIGKILL", Reason: Crash}},
		"ended, and nobody knows how":                      {Exit: Exit{Reason: Crash}},
		"was stopped (SIGTERM)":                            {Exit: Exit{Signal: "SIGTERM", Reason: Manual}, Cause: "stopped"},
		"was stopped (status unknown)":                     {Exit: Exit{Reason: Manual}},
		"was ended for a changed file (code 0): a changed": {Exit: Exit{Code: new(0), Reason: Watch}, Cause: "a changed"},
		"was ended for its memory (code 137)":              {Exit: Exit{Code: new(137), Reason: Memory}},
		"was ended by cron_restart (SIGTERM): 0 3 * * *":   {Exit: Exit{Signal: "SIGTERM", Reason: Cron}, Cause: "0 3 * * *"},
		"was ended for its healthcheck (SIGTERM): refused": {Exit: Exit{Signal: "SIGTERM", Reason: Liveness}, Cause: "refused"},
	} {
		if got := e.Ending(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
