package infra

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"devstack/view"
)

// engine is a world with one service: its container, and what the engine has still to tell about it. What the machine wants to
// be done is done to it, or noted.
type engine struct {
	t   *testing.T
	r   *rand.Rand
	now time.Time
	ids int

	run     Run // of the container that there is; without Container there is none
	running bool
	code    int
	queue   []Event // not told yet

	wanted  bool // devstack's last word was that it shall run, and nobody has stopped it since
	probing Run
	timer   bool
	repair  bool // under way
}

func (e *engine) tick() time.Time {
	e.now = e.now.Add(time.Duration(1+e.r.IntN(20)) * time.Second)
	return e.now
}

func (e *engine) tell(ev func(Told) Event) {
	e.queue = append(e.queue, ev(Told{e.run.Container, e.tick()}))
}

// start is `docker start`, or what makes a new container where there is none.
func (e *engine) start() {
	if e.run.Container == "" {
		e.ids++
		e.run.Container = fmt.Sprint(e.ids)
	}
	e.run.Started, e.running = e.tick(), true
}

// end is the end of the run, told with the signs that come before it.
func (e *engine) end(code int, signs ...func(Told) Event) {
	for _, sign := range signs {
		e.tell(sign)
	}
	e.running, e.code = false, code
	e.tell(func(at Told) Event { return Died{Told: at, Code: code, State: "exited"} })
}

// look is what one sees now.
func (e *engine) look() Event {
	switch {
	case e.run.Container == "":
		return Absent{At: e.tick()}
	case e.running:
		return Seen{Run: e.run, State: "running", Checked: true}
	}
	return Seen{Run: e.run, State: "exited", Checked: true, ExitCode: e.code, Finished: e.tick()}
}

// perform does effects and checks that they may be done.
func (e *engine) perform(m Machine, effects []Effect) {
	for _, effect := range effects {
		switch effect := effect.(type) {
		case Probe:
			if m.OneShot || !m.Checked || m.Phase != PhaseProbing {
				e.t.Fatalf("probed while %s", m.Phase)
			}
			e.probing = effect.Run
		case StopProbe:
			e.probing = Run{}
		case SetTimer:
			e.timer = true
		case StopTimer:
			e.timer = false
		case BringBack:
			if !m.Wanted || m.StoppedBy != "" || m.OneShot || m.Busy || !m.WasReady {
				e.t.Fatalf("brought back: %+v", m)
			}
			e.repair = true
		}
	}
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
	e := &engine{t: t, r: r, now: began}
	m := newMachine()
	m.Checked, m.OneShot = true, r.IntN(4) == 0
	step := func(ev Event) {
		var effects []Effect
		m, effects = m.Step(ev)
		e.perform(m, effects)
		holds(t, e, m, ev)
	}
	for range 60 {
		e.happen(&m, step)
	}
	for len(e.queue) > 0 {
		step(e.next())
	}
	step(e.look())
	up := m.Phase == PhaseProbing || m.Phase == PhaseReady
	switch {
	case e.running != up && m.StoppedBy != view.ByDevstack:
		t.Fatalf("it runs: %t, and is %s", e.running, m.Phase)
	case m.StoppedBy != "" && m.Phase != PhaseDown:
		t.Fatalf("it is stopped by %s and %s", m.StoppedBy, m.Phase)
	case m.Phase == PhaseDown && m.StoppedBy == "" && m.WasReady && e.wanted && !m.OneShot && e.ids > 0:
		t.Fatalf("it was ready, nobody has stopped it, and it stays down: %+v", m)
	}
}

// next is the oldest thing that is not told yet.
func (e *engine) next() Event {
	ev := e.queue[0]
	e.queue = e.queue[1:]
	return ev
}

// happen is one thing that happens, and what devstack does about it.
func (e *engine) happen(m *Machine, step func(Event)) {
	switch e.r.IntN(14) {
	case 0, 1: // devstack start, whose plan may begin with the end of what runs
		e.wanted = true
		fresh := e.run.Container == ""
		if e.running && e.r.IntN(2) == 0 {
			step(e.look())
			step(Start{})
			step(e.look())
			return
		}
		step(Start{Planned: true, Renewed: fresh, Fresh: fresh})
		if e.running {
			step(Replace{e.run.Container})
			e.end(143, term)
			e.tell(stop)
		}
		e.start()
		step(e.look())
		step(PlanEnded{})
	case 2: // devstack stop
		e.wanted = false
		step(Stop{})
		if e.running {
			e.end(143, term)
			e.tell(stop)
		}
		if e.run.Container != "" {
			step(e.look())
		}
	case 3: // docker stop
		if e.running {
			e.wanted = false
			e.end(143, term)
			e.tell(stop)
		}
	case 4: // docker kill
		if e.running {
			e.end(137, func(at Told) Event { return Killed{at, "9"} })
		}
	case 5, 6: // it ends by itself
		if e.running {
			e.end(e.r.IntN(2))
		}
	case 7: // docker rm -f
		if e.run.Container != "" {
			if e.running {
				e.end(137, func(at Told) Event { return Killed{at, "9"} })
			}
			e.tell(func(at Told) Event { return Removed{at} })
			e.run, e.running = Run{}, false
		}
	case 8: // docker start
		if e.run.Container != "" && !e.running {
			e.wanted = true
			e.start()
			step(e.look())
		}
	case 9:
		if e.run.Container != "" || m.Run.Container != "" {
			step(e.look())
		}
	case 10:
		if e.probing != (Run{}) {
			step(Answered{Run: e.probing, By: "PONG"})
		}
	case 11:
		step(Silent{Run: m.Run})
	case 12:
		if e.timer {
			e.timer = false
			step(Elapsed{})
		}
		if e.repair {
			e.repair = false
			if !e.running {
				e.start()
			}
			step(e.look())
			step(BroughtBack{})
		}
	default:
		if len(e.queue) > 0 {
			step(e.next())
		}
	}
}

func term(at Told) Event { return Killed{at, "15"} }
func stop(at Told) Event { return StopDone{at} }

// holds checks what is true after every step.
func holds(t *testing.T, e *engine, m Machine, ev Event) {
	t.Helper()
	asked := m.Phase == PhaseProbing && !m.OneShot
	switch {
	case asked && e.probing != m.Run:
		t.Fatalf("after %#v: %s, and nobody asks it", ev, m.Phase)
	case !asked && m.Phase != PhaseReady && e.probing != (Run{}):
		t.Fatalf("after %#v: %s, and it is asked", ev, m.Phase)
	case m.Phase == PhaseRepairing && !m.Busy && !e.timer && !e.repair:
		t.Fatalf("after %#v: nothing brings it back", ev)
	case m.Phase != PhaseRepairing && e.timer:
		t.Fatalf("after %#v: %s, with a timer", ev, m.Phase)
	case m.Ready() && m.Phase == PhaseReady && (m.Over || m.State != "running"):
		t.Fatalf("after %#v: ready, and its run is over: %+v", ev, m)
	case m.StoppedBy != "" && m.Phase != PhaseDown && m.Phase != PhaseCompleted && m.Phase != PhaseFailed:
		t.Fatalf("after %#v: stopped by %s, and %s", ev, m.StoppedBy, m.Phase)
	}
}
