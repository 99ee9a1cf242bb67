package view

import "time"

// Event is one thing that happened to a resource.
type Event struct {
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	Resource string    `json:"resource"` // name of a service or an app; empty for the stack
	Instance int       `json:"instance"`
	Kind     Kind      `json:"kind"`
	From     string    `json:"from"`
	To       string    `json:"to"`
	Cause    string    `json:"cause"`
	Message  string    `json:"message"`  // for people
	Step     *Step     `json:"step"`     // of Kind op: which step of a plan
	Progress *Progress `json:"progress"` // of Kind pull
	Exit     *Exit     `json:"exit"`     // of Kind process, ready: the end of the launch that changed it, if that did
}

// Kind says what an Event is about.
type Kind string

// Every kind of event.
const (
	KindService Kind = "service" // a service changed its state or health (From, To)
	KindProcess Kind = "process" // a process changed its status (From, To)
	KindReady   Kind = "ready"   // a resource became ready or stopped being so (To: ready, not ready)
	KindReload  Kind = "reload"  // a launch beside the one that serves (To: launched, ready, serves, failed, left; Message: its pid)
	KindWaiting Kind = "waiting" // what a resource waits for changed (To: names, comma-separated)
	KindOp      Kind = "op"      // a step of a plan (Step; To: started, done, failed)
	KindPull    Kind = "pull"    // image pull progress
	KindBuild   Kind = "build"   // output of the build command
	KindOrder   Kind = "order"   // first event of up: To is every resource that it is about, comma-separated, in start order
	KindFailure Kind = "failure" // a resource has failed, and the action goes on waiting for others (Message: why, without the name)
	KindWarning Kind = "warning" // Message says what and what to do
	KindGap     Kind = "gap"     // events between the client's and the oldest kept one are lost
	KindLine    Kind = "line"    // a line of what is going on (Message)
	KindResult  Kind = "result"  // the last event of an action's stream
)

// What the To of a KindReady event says.
const (
	IsReady  = "ready"
	NotReady = "not ready"
)

// ReadyWord is IsReady or NotReady.
func ReadyWord(ready bool) string {
	if ready {
		return IsReady
	}
	return NotReady
}

// Step is one step of a plan: start the container of redis.
type Step struct {
	Verb   string `json:"verb"`   // pull, create, start, stop, remove, rename, connect, disconnect, await health of, await completion of
	Object string `json:"object"` // image, network, volume, container, server, service
	Name   string `json:"name"`   // of the object, as people know it
}

// String is the step in words.
func (s Step) String() string { return s.Verb + " " + s.Object + " " + s.Name }

// Progress is how far a pull has come.
type Progress struct {
	Current int64  `json:"current"` // bytes
	Total   int64  `json:"total"`
	Detail  string `json:"detail"`
}
