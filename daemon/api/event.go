package api

import (
	"encoding/json"

	"devstack/view"
)

// Event is one thing that happened. GET /v1/events?since=SEQ streams them as NDJSON; SEQ 0 is "from now on", and a
// client that was away resumes after the last sequence it saw (the daemon keeps the newest 4096; older ones are gone
// and the stream then starts with a Kind "gap").
type Event struct {
	view.Event
	Result *Result `json:"result"` // of Kind result, the last event of an action's stream
}

// Result ends an action.
type Result struct {
	Exit     Code      `json:"exit"`
	Error    string    `json:"error"` // what, where, why; empty on success
	Hint     string    `json:"hint"`  // the next command
	Failures []Failure `json:"failures"`
	Notes    []string  `json:"notes"` // what the user should know although it worked
	Plan     string    `json:"plan"`  // what up --dry-run found to be done, in lines; empty otherwise
	State    *State    `json:"state"`
	Links    []Link    `json:"links"` // where the processes of State answer: of one the port that it declares first; inspectors last

	Answer json.RawMessage `json:"answer"` // what a Request asked for; null for actions, and where nothing was found
}

// Link is a port of a process that answers.
type Link struct {
	Name     string    `json:"name"`
	Instance int       `json:"instance"`
	Port     int       `json:"port"`
	Kind     string    `json:"kind"` // http, inspector: a debugger of Node or the like
	URL      view.Text `json:"url"`  // to open; null for an inspector
}

// The kinds of a Link.
const (
	LinkHTTP      = "http"
	LinkInspector = "inspector"
)

// Failure is one resource that is not what was asked for; the first is the cause named first.
type Failure struct {
	Resource  string   `json:"resource"`
	Exit      Code     `json:"exit"`
	Message   string   `json:"message"`
	LastLines []string `json:"last_lines"`
	LogFile   string   `json:"log_file"`  // the first of LogFiles; empty: there is none
	LogFiles  []string `json:"log_files"` // where LastLines are
}

// Code is a process exit code of the commands.
type Code int

// The exit codes of every command. Several at once: the first in Files, Environment, PortTaken, Engine, Process, Timeout.
const (
	ExitDone        Code = 0
	ExitBug         Code = 1 // a bug or an I/O error
	ExitUsage       Code = 2 // usage, unknown name
	ExitFiles       Code = 3 // files: missing, syntax, key, cycle
	ExitEnvironment Code = 4 // required variables, artifacts, Node, disk
	ExitEngine      Code = 5 // no engine, no image, a service cannot get healthy
	ExitTimeout     Code = 6 // time ran out with everything alive
	ExitProcess     Code = 7 // a process exited
	ExitNotRunning  Code = 8 // needs a running stack
	ExitPortTaken   Code = 9
	ExitStale       Code = 10 // an export on disk is not what would be written now, or a machine not what bootstrap would make of it
	ExitEdited      Code = 11 // somebody has edited it
	ExitConflict    Code = 12 // both, or a file in the way that was never devstack's
	ExitLosses      Code = 13 // export --strict
	ExitRehearsal   Code = 14 // a production definition did not work on the real engine
	ExitInterrupted Code = 130
)

// First returns the code that is reported when several apply; ExitDone if there are none.
func First(codes ...Code) Code {
	for _, c := range []Code{
		ExitBug, ExitUsage, ExitFiles, ExitEnvironment, ExitPortTaken, ExitEngine, ExitProcess, ExitTimeout,
		ExitNotRunning, ExitInterrupted,
	} {
		for _, got := range codes {
			if got == c {
				return c
			}
		}
	}
	return ExitDone
}

// Error is the body of every non-2xx answer, and the error type that Client returns for it.
type Error struct {
	Exit    Code   `json:"exit"`
	Message string `json:"error"`
	Hint    string `json:"hint"`
}

func (e *Error) Error() string { return e.Message }

// Is makes a daemon that is leaving, or has nothing to act on, ErrNotRunning.
func (e *Error) Is(target error) bool { return target == ErrNotRunning && e.Exit == ExitNotRunning }
