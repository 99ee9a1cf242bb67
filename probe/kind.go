package probe

import "strconv"

// Kind is what somebody's readiness rests on, in the word that every view shows: the READY column, `ready_by`, `health`.
// There is one word per kind; Kinds is the table of them.
type Kind string

// The kinds whose word says all.
const (
	Pong        Kind = "PONG"
	Select      Kind = "SELECT 1"
	Healthcheck Kind = "healthcheck"
	LogLined    Kind = "log line"
	IPC         Kind = "ipc"
	Completed   Kind = "completed"
	Unchecked   Kind = "unchecked"
	Running     Kind = "running"
	HTTPAnswer  Kind = "http" // before the first answer; see Answered
)

// Answered is the kind of an HTTP answer: "http 200".
func Answered(status int) Kind { return Kind("http " + strconv.Itoa(status)) }

// ListensOn is the kind of a listening socket: "listens :3000".
func ListensOn(port int) Kind { return Kind("listens :" + strconv.Itoa(port)) }

// ListensAt is ListensOn the port of an address (host:port).
func ListensAt(addr string) Kind { return ListensOn(portOf(addr)) }

// Row is what docs/readiness.md says of a kind.
type Row struct {
	Kind   string
	Of     string // who is judged by it
	Asked  string // what is asked, and of whom
	Often  string // until it is ready; and afterwards
	Counts string // what counts as ready
	Cost   string
	Limits string // what it does not tell
}

// Kinds is how readiness is judged, the strongest kind first. Of those that apply to a service or an app, the first one decides.
func Kinds() []Row {
	const untilReady, byInterval = "every 100 ms", "then every `interval`"
	return []Row{
		{
			"`SELECT 1`", "a Postgres service", "a login over the published port and `SELECT 1`", "every 10 ms, slower from 500 ms on; then at exits and for `health`",
			"the row", "a connection", "says nothing about tables",
		},
		{
			"`PONG`", "a Redis or Valkey service", "`PING` over the published port, else `redis-cli ping` inside", "every 10 ms, slower from 500 ms on; then at exits and for `health`",
			"`PONG`", "a connection, or an exec", "a server that loads its data answers, and is not ready yet",
		},
		{
			"`healthcheck`", "a service with Compose's `healthcheck`; an app with `healthcheck: {exec}`", "the command: in the container, or in the app's directory and environment, one at a time",
			untilReady + ", " + byInterval, "exit code 0 within `timeout`", "a process each time", "as much as the command tells",
		},
		{
			"`http 200`", "an app with `healthcheck: {http}`", "a GET of this very launch, also where others answer on the same port", untilReady + ", " + byInterval,
			"a status from 200 to 399; the word has the last status", "a request", "redirects are an answer and are not followed",
		},
		{
			"`listens :3000`", "an app with `port`, or with `healthcheck: {tcp}`; an app without any check that opens a port; a service that only publishes a port",
			"node: its own word when it listens; every other program: the kernel, whether a process of this launch's tree listens on the port; a service: a connection that stays open",
			"node: nothing; else every 50 ms (100 ms for any port); never after the first success", "a listening socket of this launch",
			"below 1 ms of CPU per start", "that it accepts, not that it answers well",
		},
		{"`log line`", "an app with `healthcheck: {log_line}`", "its output since this launch", untilReady + "; never after the first success", "the first line that matches", "reading", "only that it was said once"},
		{"`ipc`", "a node app with `wait_ready`", "nothing: the program calls `process.send('ready')`", "never", "the message", "nothing", "what the program means by it"},
		{
			"`completed`", "an app with `one_shot`; a service that others wait for with `service_completed_successfully`", "nothing: its end is waited for", "never",
			"exit code 0", "nothing", "a failure is not tried again, unless `max_restarts` is declared",
		},
		{
			"`unchecked`", "an app with none of these that opens no port", "nothing: it must live for its settling time: 1 s, or a quarter longer than it took last to open its port or to die",
			"never", "it lives", "nothing", "nothing at all: it is called `unchecked`, never healthy; give it a `port` or a `healthcheck`",
		},
		{"`running`", "a service without a healthcheck and without a published port", "nothing", "never", "its container runs", "nothing", "nothing at all; `service_healthy` on it is refused"},
	}
}
