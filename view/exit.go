package view

import (
	"fmt"
	"slices"
	"time"
)

// Exit is how a launch of a process, or a run of a container, ended. Code is null after a death by signal and when the
// status could not be had.
type Exit struct {
	Code   *int      `json:"code"`
	Signal Text      `json:"signal"` // SIGKILL
	Reason Reason    `json:"reason"`
	At     time.Time `json:"at"`
}

// ExitRecord is an Exit with its evidence.
type ExitRecord struct {
	Exit
	Cause     Text     `json:"cause"` // of a stop, in words: "src/server.js changed"; null when it ended by itself
	UptimeMS  int64    `json:"uptime_ms"`
	LastLines []string `json:"last_lines"` // of this very run, oldest first, at most 20
	LogFiles  []string `json:"log_files"`  // of an app: the files that LastLines are in
	WasReady  bool     `json:"was_ready"`  // of an app: it ended by itself while it was ready
	Beside    bool     `json:"beside"`     // of a launch that was not the one that serves: a reload's

	// DependencyDown says that a dependency was not as far as it must be: the exit is not the program's fault.
	DependencyDown bool `json:"dependency_down"`
}

// Reason is why something ended.
type Reason string

// The reasons.
const (
	Exited   Reason = "exited"   // by itself, with 0
	Crash    Reason = "crash"    // by itself, otherwise
	Manual   Reason = "manual"   // somebody asked for it, or the definition changed
	Watch    Reason = "watch"    // a watched file changed
	Memory   Reason = "memory"   // it exceeded max_memory_restart, or the engine ended it for its memory
	Cron     Reason = "cron"     // cron_restart was due
	Liveness Reason = "liveness" // its healthcheck failed too often
)

// ByItself says that nobody and nothing has asked for the end.
func (r Reason) ByItself() bool { return r == Exited || r == Crash }

// Succeeded says that it ended with 0.
func (e Exit) Succeeded() bool { return e.Code != nil && *e.Code == 0 }

// Ending says in words how it ended, as what follows a name: "exited with code 1", "was stopped (SIGTERM)".
func (e Exit) Ending() string {
	status, byItself := "status unknown", "ended, and nobody knows how"
	switch {
	case e.Signal != "":
		status, byItself = string(e.Signal), "was killed by "+string(e.Signal)
	case e.Code != nil:
		status, byItself = fmt.Sprintf("code %d", *e.Code), fmt.Sprintf("exited with code %d", *e.Code)
	}
	switch e.Reason {
	case Manual:
		return "was stopped (" + status + ")"
	case Watch:
		return "was ended for a changed file (" + status + ")"
	case Memory:
		return "was ended for its memory (" + status + ")"
	case Cron:
		return "was ended by cron_restart (" + status + ")"
	case Liveness:
		return "was ended for its healthcheck (" + status + ")"
	}
	return byItself
}

// Ending is that of the Exit with its cause, unless that says no more than that somebody asked for it.
func (e ExitRecord) Ending() string {
	if e.Cause == "" || e.Reason == Manual {
		return e.Exit.Ending()
	}
	return e.Exit.Ending() + ": " + string(e.Cause)
}

// EndingAfter is Ending with how long the launch had lived.
func (e ExitRecord) EndingAfter() string {
	text := e.Exit.Ending() + " after " + (time.Duration(e.UptimeMS) * time.Millisecond).Round(100*time.Millisecond).String()
	if e.Cause == "" || e.Reason == Manual {
		return text
	}
	return text + ": " + string(e.Cause)
}

// Restarts counts restarts by their reason.
type Restarts struct {
	Exited   int `json:"exited"`
	Crash    int `json:"crash"`
	Manual   int `json:"manual"`
	Watch    int `json:"watch"`
	Memory   int `json:"memory"`
	Cron     int `json:"cron"`
	Liveness int `json:"liveness"`
}

// Count is how often something happened for one reason.
type Count struct {
	Cause Reason `json:"cause"`
	Count int    `json:"count"`
}

// Total is the number of restarts for any reason.
func (r Restarts) Total() int {
	n := 0
	for _, c := range r.Counts() {
		n += c.Count
	}
	return n
}

// Plus is r with one restart more.
func (r Restarts) Plus(why Reason) Restarts {
	*r.of(why)++
	return r
}

// Counts are the reasons that there were, the most frequent first.
func (r Restarts) Counts() []Count {
	counts := []Count{}
	for _, why := range []Reason{Exited, Crash, Manual, Watch, Memory, Cron, Liveness} {
		if n := *r.of(why); n > 0 {
			counts = append(counts, Count{why, n})
		}
	}
	slices.SortStableFunc(counts, func(a, b Count) int { return b.Count - a.Count })
	return counts
}

// of is the counter of a reason; one that nothing is restarted for has none that lasts.
func (r *Restarts) of(why Reason) *int {
	switch why {
	case Exited:
		return &r.Exited
	case Crash:
		return &r.Crash
	case Manual:
		return &r.Manual
	case Watch:
		return &r.Watch
	case Memory:
		return &r.Memory
	case Cron:
		return &r.Cron
	case Liveness:
		return &r.Liveness
	}
	return new(int)
}

// CountReasons counts exits by their reason, the most frequent first.
func CountReasons(exits []ExitRecord) []Count {
	var r Restarts
	for _, e := range exits {
		r = r.Plus(e.Reason)
	}
	return r.Counts()
}
