package infra

import (
	"time"

	"devstack/probe"
	"devstack/view"
)

// Run is one run of a container. The zero Run is none.
type Run struct {
	Container string // ID
	Started   time.Time
}

// Event is something that happened to a service.
type Event interface{ event() }

// What devstack does.
type (
	// Start means: it shall run, whoever had stopped it. Planned: a plan is about to start its container, and until PlanEnded nothing
	// else does. Renewed: the plan makes a new container. Fresh: it also makes the place of its data.
	Start struct{ Planned, Renewed, Fresh bool }
	// Stop means: it shall not run.
	Stop struct{}
	// Replace means: a plan ends this container; what the engine tells about it means nothing.
	Replace struct{ Container string }
	// PlanEnded means: the plan of Start is carried out, or has Failed: then what it was to end may run as before.
	PlanEnded struct{ Failed bool }
	// Resume means: an earlier daemon has kept it and knew who had stopped it; empty: nobody. Planned: as of Start. Answer is what
	// had answered.
	Resume struct {
		StoppedBy string
		Planned   bool
		Answer    Answer
	}
	// Elapsed means: the pause before a repair is over.
	Elapsed struct{}
	// BroughtBack means: a repair was carried out. Problem says why it failed; empty: its container was started.
	BroughtBack struct{ Problem string }
)

// What a look at the engine finds.
type (
	// Seen means: this is its container. The fields from ExitCode to Lines are about the run that is over, if one is.
	Seen struct {
		Run
		State      string // Docker's word
		StopSignal string // empty: SIGTERM
		Restarts   int    // by the engine, since the container was made
		Checked    bool   // it can be asked whether it is ready
		Sick       string // what the engine's own healthcheck says, while it fails; else empty
		ExitCode   int
		OOM        bool
		Finished   time.Time
		Signs      Signs    // what the engine remembers of it
		Lines      []string // its last ones
	}
	// Absent means: it has no container.
	Absent struct {
		At    time.Time
		Signs Signs // what the engine remembers of the last one
	}
	// EngineLost means: the engine does not answer; when it does again, everything is looked at.
	EngineLost struct{ At time.Time }
)

// Told says which container the engine tells something about, and when that was.
type Told struct {
	Container string
	At        time.Time
}

func (t Told) told() Told { return t }

// What the engine tells. It may be about a container, or a run of it, of which nothing is kept any more.
type (
	// Killed means: somebody has sent a signal through the engine.
	Killed struct {
		Told
		Signal string
	}
	// OutOfMemory means: it had more memory than it may have.
	OutOfMemory struct{ Told }
	// Died means: a run is over. State is the container's afterwards: it may run again already.
	Died struct {
		Told
		State string
		Code  int
		OOM   bool
		Lines []string // its last ones
	}
	// StopDone means: a `docker stop` is through.
	StopDone struct{ Told }
	// Removed means: the container is gone.
	Removed struct{ Told }
)

// What a probe finds out about a run.
type (
	// Answered means: it is ready. By is what that rests on.
	Answered struct {
		Run
		By     probe.Kind
		Detail string
	}
	// NotYet means: it is not ready. Broken: it answers and refuses, and waiting does not help.
	NotYet struct {
		Run
		Detail string
		Broken bool
	}
	// Silent means: it was ready and does not answer any more.
	Silent struct {
		Run
		Detail string
	}
)

func (Start) event()       {}
func (Stop) event()        {}
func (Replace) event()     {}
func (PlanEnded) event()   {}
func (Resume) event()      {}
func (Elapsed) event()     {}
func (BroughtBack) event() {}
func (Seen) event()        {}
func (Absent) event()      {}
func (EngineLost) event()  {}
func (Killed) event()      {}
func (OutOfMemory) event() {}
func (Died) event()        {}
func (StopDone) event()    {}
func (Removed) event()     {}
func (Answered) event()    {}
func (NotYet) event()      {}
func (Silent) event()      {}

// Effect is something to do; the effects of a step are done in order.
type Effect interface{ effect() }

// Every effect.
type (
	// Probe asks a run until it is ready, in the place of whatever was asked before.
	Probe struct {
		Run
		Again bool // it was ready in this run: that its server answers is enough
	}
	// StopProbe asks nobody any more.
	StopProbe struct{}
	// SetTimer says Elapsed after a while, in the place of an earlier timer.
	SetTimer struct{ After time.Duration }
	// StopTimer takes SetTimer back.
	StopTimer struct{}
	// BringBack starts the container again, or makes a new one where it was removed, and says BroughtBack.
	BringBack struct{}
	// Record puts an exit into the history, in the place of what is known of the same run.
	Record struct {
		Run
		Exit view.ExitRecord
	}
	// Excuse says of the end of a run, if it is in the history, that somebody had asked for it.
	Excuse struct{ Run }
)

func (Probe) effect()     {}
func (StopProbe) effect() {}
func (SetTimer) effect()  {}
func (StopTimer) effect() {}
func (BringBack) effect() {}
func (Record) effect()    {}
func (Excuse) effect()    {}
