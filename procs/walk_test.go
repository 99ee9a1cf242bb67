package procs

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"devstack/view"
)

// world is what the effects of a machine have made of the world.
type world struct {
	live    map[int64]bool
	spawned int64
}

func (w *world) perform(t *testing.T, m Machine, effects []Effect, allowed bool) {
	for _, e := range effects {
		switch e := e.(type) {
		case Launch:
			if len(w.live) > 0 && (e.Gen != m.Heir.Gen || len(w.live) > 1) && m.Retired.Gen == 0 || len(w.live) > 1 {
				t.Fatalf("generation %d launched beside %v", e.Gen, w.live)
			}
			if e.Gen <= w.spawned {
				t.Fatalf("generation %d used again", e.Gen)
			}
			if !allowed {
				t.Fatalf("generation %d launched although it was stopped", e.Gen)
			}
			if m.Closed && e.Gen != m.Heir.Gen {
				t.Fatalf("generation %d launched through a closed gate", e.Gen)
			}
			w.live[e.Gen], w.spawned = true, e.Gen
		case Signal:
			if !w.live[e.Gen] {
				t.Fatalf("signal to generation %d, which does not live", e.Gen)
			}
		case KillTree:
			if w.live[e.Gen] {
				t.Fatalf("the tree of generation %d killed while it lives", e.Gen)
			}
		}
	}
}

// launches are the generations that a machine believes to live.
func (m Machine) launches() map[int64]bool {
	all := map[int64]bool{m.Heir.Gen: true, m.Retired.Gen: true}
	if m.live() {
		all[m.Gen] = true
	}
	delete(all, 0)
	return all
}

func TestRandomWalks(t *testing.T) {
	for seed := range uint64(4000) {
		walk(t, rand.New(rand.NewPCG(seed, 1)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func walk(t *testing.T, r *rand.Rand) {
	m := Machine{State: view.Stopped, Policy: testPolicy()}
	m.Policy.OneShot, m.Policy.Autorestart = r.IntN(4) == 0, r.IntN(4) > 0
	m.Policy.Overlap = !m.Policy.OneShot && r.IntN(2) == 0
	if r.IntN(2) == 0 {
		m.Policy.RestartDelay = nil
	}
	w := &world{live: map[int64]bool{}}
	wanted := false // since the last Stop somebody has asked for it
	for range 80 {
		gen := max(1, m.Gen)
		if beside := m.Heir.Gen + m.Retired.Gen; beside != 0 && r.IntN(2) == 0 {
			gen = beside
		}
		if r.IntN(5) == 0 {
			gen = max(1, gen-int64(r.IntN(3))) // what is late
		}
		var ev Event
		switch r.IntN(19) {
		case 12:
			ev = FileChanged{}
		case 13:
			ev = CronDue{}
		case 14:
			ev, wanted = Reload{}, true
		case 15, 16:
			ev = Listening{gen}
		case 17:
			ev = Drained{gen}
		case 18:
			ev = Unhealthy{gen}
		case 0:
			ev, wanted = Start{}, true
		case 1:
			ev, wanted = Restart{}, true
		case 2:
			ev, wanted = Stop{}, false
			if r.IntN(2) == 0 {
				ev = Leave{}
			}
		case 3:
			ev = Gate{Open: r.IntN(2) == 0}
		case 4:
			ev = Changed{}
		case 5:
			ev = Ready{Gen: gen}
		case 6:
			ev = MemoryExceeded{gen}
		case 7:
			ev = Elapsed{gen, []Timer{ListenTimer, KillTimer, RestartTimer, SettleTimer, DrainTimer}[r.IntN(5)]}
		case 8:
			if w.live[gen] && (gen == m.Gen && !m.Ready || gen == m.Heir.Gen && !m.Heir.Ready) && r.IntN(4) == 0 { // a launch that failed never lived
				ev = LaunchFailed{Gen: gen, Permanent: r.IntN(2) == 0}
				if gen == m.Heir.Gen || m.State != view.Stopping {
					delete(w.live, gen)
				}
			} else {
				continue
			}
		default:
			if !w.live[gen] && (gen == m.Gen || gen == m.Heir.Gen || gen == m.Retired.Gen) {
				continue // only what lives can exit, but an exit of old may come again
			}
			delete(w.live, gen)
			ev = Exited{Gen: gen, Code: r.IntN(3), Uptime: time.Duration(r.IntN(20)) * time.Second}
		}
		var effects []Effect
		m, effects = m.Step(ev)
		w.perform(t, m, effects, wanted)
		if known := m.launches(); !maps.Equal(known, w.live) {
			t.Fatalf("after %#v: %s, the machine knows %v, but %v live", ev, m.State, known, w.live)
		}
		if m.Heir.Gen != 0 && (m.Retired.Gen != 0 || m.State != view.Online) {
			t.Fatalf("after %#v: %s with an heir and %+v", ev, m.State, m.Retired)
		}
		if m.Ready && m.State != view.Online && (m.State != view.Completed || !m.Policy.OneShot) {
			t.Fatalf("ready while %s", m.State)
		}
	}
}
