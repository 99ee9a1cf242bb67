package infra

import (
	"context"
	"testing"
	"time"

	"devstack/probe"
)

func TestOneLookAtAGate(t *testing.T) {
	says := func(ready bool, detail string) probe.Probe {
		return probe.Func(func(context.Context) probe.Result { return probe.Result{Ready: ready, Detail: detail} })
	}
	for _, tc := range []struct {
		name  string
		gate  gate
		ready bool
		word  string
	}{
		{"nothing to ask", gate{}, true, "running"},
		{"only the wire", gate{wire: says(true, "PONG")}, true, "PONG"},
		{"both", gate{wire: says(true, "PONG"), check: says(true, "passed")}, true, "passed"},
		{"the wire fails", gate{wire: says(false, "refused"), check: says(true, "passed")}, false, "refused"},
		{"the check fails", gate{wire: says(true, "PONG"), check: says(false, "failed")}, false, "failed"},
	} {
		if r := tc.gate.once(t.Context(), time.Minute); r.Ready != tc.ready || r.Detail != tc.word {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
}
