// Package protocol is how others talk with a keeper, start it and find it: the messages and frames that a daemon and its
// keeper exchange, the daemon's end of that connection, the two locks by which a keeper is found, and Spawn. What a keeper
// does is in the package above, which nobody but its executable needs.
package protocol

import (
	"fmt"
	"time"
)

// ProtocolVersion is spoken in hello. Fields and verbs are only ever added, so that a keeper serves older and
// newer daemons; a daemon that needs more than the keeper offers says so and goes on without it.
const ProtocolVersion = 1

// MaxMessage is the largest frame, in bytes, either side accepts.
const MaxMessage = 64 << 20

// File descriptors of a daemon that the keeper started.
const (
	FDListener = 3 // the listening API socket (ctl.sock); connections wait in its backlog while no daemon runs
	FDKeeper   = 4 // the stream socket to the keeper: frames of 4 bytes big-endian length, then one JSON Message
)

// MarkerEnv names the variable by which every descendant of a launch can be recognised; its value is Key.Marker.
const MarkerEnv = "DEVSTACK_LAUNCH"

// Verb names a request of the daemon or, where noted, a notification of the keeper.
type Verb string

// Requests carry an ID and are answered by a Message with the same ID; notifications have ID 0.
const (
	Hello    Verb = "hello"    // first request: versions and the keeper's identity
	Start    Verb = "launch"   // Message.Launch -> Message.Launched
	Signal   Verb = "signal"   // Message.Signal: to a launch's process group, its whole tree or its IPC channel
	List     Verb = "list"     // -> Message.List: every launch that runs or whose exit is not acked
	Ack      Verb = "ack"      // Message.Key: the exit of this launch is on record, forget it
	Stash    Verb = "stash"    // Message.Blob: keep it in memory for the next daemon
	Fetch    Verb = "fetch"    // -> Message.Blob
	Shutdown Verb = "shutdown" // end what still runs, remove the sockets, release the lock, exit
	Connect  Verb = "connect"  // Message.Connect -> an answer that carries one descriptor: a connection to this launch alone
	Release  Verb = "release"  // Message.Release: an instance has no more use for held sockets; close those nobody has
	Exec     Verb = "exec"     // Message.Exec: become another executable in place; every launch goes on, the daemon is replaced
	Notify   Verb = "notify"   // Message.Notify: tell the service manager that runs the keeper, in sd_notify's words

	End       Verb = "end"       // notification: the keeper was told to end by a signal; stop everything in order, then ask for shutdown
	Exited    Verb = "exited"    // notification: Message.Exit; repeated by List until acked
	IPC       Verb = "ipc"       // notification: Message.IPC
	Listening Verb = "listening" // notification: Message.Listening; also in List
	Drained   Verb = "drained"   // notification: Message.Key: asked to drain, it has answered everybody; also in List
	Ping      Verb = "ping"      // notification and answer in both directions: the watchdog of a hung daemon
)

// Message is the one frame type of both directions; which fields are set follows from Verb.
type Message struct {
	ID    uint64 `json:"id,omitempty"`
	Verb  Verb   `json:"verb"`
	Error *Error `json:"error,omitempty"` // only in answers

	Version  int        `json:"version,omitempty"`
	Identity *Identity  `json:"identity,omitempty"`
	Key      *Key       `json:"key,omitempty"`
	Launch   *Launch    `json:"launch,omitempty"`
	Launched *Launched  `json:"launched,omitempty"`
	Signal   *SignalReq `json:"signal,omitempty"`
	List     []Running  `json:"list,omitempty"`
	Exit     *Exit      `json:"exit,omitempty"`
	IPC      *IPCLine   `json:"ipc,omitempty"`
	Blob     []byte     `json:"blob,omitempty"`

	Connect   *ConnectReq `json:"connect,omitempty"`
	Release   *ReleaseReq `json:"release,omitempty"`
	Listening *Socket     `json:"listening,omitempty"`
	Exec      *ExecReq    `json:"exec,omitempty"`
	Notify    string      `json:"notify,omitempty"`
	Failed    string      `json:"failed,omitempty"`  // of shutdown: why the keeper ends with an error
	Code      int         `json:"code,omitempty"`    // beside Failed: the exit code
	Orderly   bool        `json:"orderly,omitempty"` // of hello: this daemon serves end

	Attached *Descriptor // travels beside the frame; the answer to connect has one
}

// Error is a failed request. Errno lets the daemon tell "no such file" from "try again later" (0: not a system error).
type Error struct {
	Text  string `json:"text"`
	Errno int    `json:"errno,omitempty"`
}

// Identity tells a daemon where and for whom it runs.
type Identity struct {
	Project  string    `json:"project"`   // 12 hex digits of the project directory's real path
	Dir      string    `json:"dir"`       // the project directory
	StateDir string    `json:"state_dir"` // sockets, journal, state file, log indexes
	Pid      int       `json:"pid"`       // of the keeper
	Since    time.Time `json:"since"`
	Service  *Service  `json:"service,omitempty"` // nil: no service manager waits for notifications
}

// Service is what a service manager such as systemd wants of the keeper that it runs.
type Service struct {
	WatchdogUSec int64 `json:"watchdog_usec,omitempty"` // WATCHDOG=1 must come at least so often; 0: not at all
}

// ExecReq names the executables that take over: the keeper's, and the daemon's with its arguments.
type ExecReq struct {
	Self   string   `json:"self"`
	Daemon []string `json:"daemon"`
}

// Key names one launch. A generation is used once per instance, so a key never names two processes.
type Key struct {
	App        string `json:"app"`
	Instance   int    `json:"instance"`
	Generation int64  `json:"generation"`
}

// Launch is everything the keeper needs to start a process; all decisions are already taken.
type Launch struct {
	Key   Key      `json:"key"`
	Argv  []string `json:"argv"` // argv[0] is the executable's path
	Dir   string   `json:"dir"`
	Env   []string `json:"env"` // complete; the keeper adds MarkerEnv and, with IPC, NODE_CHANNEL_FD
	Logs  Logs     `json:"logs"`
	IPC   bool     `json:"ipc,omitempty"`
	Grace Grace    `json:"grace"` // how the keeper ends this launch by itself when no daemon is there to do it
	Hold  *Hold    `json:"hold,omitempty"`

	Server *Server `json:"server,omitempty"` // nil: an ordinary process
}

// Server makes a launch one that outlives the keeper unless it is ended before: a database server. It is found again by
// its lock, not by MarkerEnv, which such servers overwrite; its output goes to a file without a pipe between. Logs, IPC and
// Hold do not apply. Only a keeper that is told to end by a signal ends it.
type Server struct {
	// Lock is a file that the keeper locks (flock) before the launch, which inherits the descriptor: it is locked for as long
	// as any process of the server lives. Somebody else's lock fails the launch with EWOULDBLOCK.
	Lock   string `json:"lock"`
	Output string `json:"output"` // what it writes is appended here
	UID    int    `json:"uid"`    // 0: the keeper's own user
	GID    int    `json:"gid"`
}

// Hold says that the sockets a launch listens on outlive it: later launches of the app get them. Nil: they are its own.
type Hold struct {
	// Bind is a TCP port that the keeper binds on every address before the launch, and passes as systemd does
	// (LISTEN_FDS, LISTEN_PID). 0: only what the launch reports over IPC that it listens on is held.
	Bind int `json:"bind,omitempty"`
}

// Address is where a program listens, as the program asked for it: an empty host is every address.
type Address struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// HeldEnv names the variable that tells a launch which held sockets it was born with: a JSON array of {"host", "port",
// "fd"}. The host "*" is a socket of Hold.Bind, which stands for any host.
const HeldEnv = "DEVSTACK_HELD"

// Socket is one socket that a launch listens on and the keeper holds.
type Socket struct {
	Key     Key     `json:"key"`
	Address Address `json:"address"`
}

// ConnectReq asks for a connection that is handed to one launch, past the queue that it shares with others.
type ConnectReq struct {
	Key     Key     `json:"key"`
	Address Address `json:"address"` // one that the launch has reported
}

// ReleaseReq forgets that an instance's launches have listened. A held socket that no launch of any instance has
// listened on is closed: clients see that nobody is there.
type ReleaseReq struct {
	App      string `json:"app"`
	Instance int    `json:"instance"`
	Before   int64  `json:"before,omitempty"` // only of launches with an older generation; 0: of all
	Only     int64  `json:"only,omitempty"`   // only of the launch with this generation; 0: of all
}

// Covers says whether a launch of the given generation is meant.
func (r ReleaseReq) Covers(generation int64) bool {
	return (r.Before == 0 || generation < r.Before) && (r.Only == 0 || generation == r.Only)
}

// Grace is a launch's stop ladder: signal, wait, SIGKILL.
type Grace struct {
	Signal  int           `json:"signal"`
	Timeout time.Duration `json:"timeout"`
	OverIPC bool          `json:"over_ipc,omitempty"` // send the IPC message "shutdown" instead of Signal
}

// Logs says where a launch's output goes. Launches that name the same file share one writer.
type Logs struct {
	Out      string `json:"out,omitempty"` // absolute path; empty discards
	Err      string `json:"err,omitempty"` // the same path as Out merges the streams
	Combined string `json:"combined,omitempty"`
	Format   string `json:"format,omitempty"` // "" raw bytes, "text" a timestamp before each line, "json" one record per line
	// Layout is the Go time layout of Format text; the daemon translates PM2's tokens.
	Layout   string `json:"layout,omitempty"`
	MaxSize  int64  `json:"max_size,omitempty"`  // bytes before rotation; 0: 10 MiB
	MaxFiles int    `json:"max_files,omitempty"` // rotated files kept; 0: all
	// ID is the process id shown in json records.
	ID int `json:"id,omitempty"`
}

// Launched is the answer to a launch that started.
type Launched struct {
	Pid       int       `json:"pid"`
	StartTime uint64    `json:"start_time"` // /proc/PID/stat field 22; with the boot id it identifies a process for ever
	At        time.Time `json:"at"`
	Held      []Address `json:"held,omitempty"` // the held sockets that it was born with
}

// SignalReq asks for a signal to a launch. The keeper signals only launches that it has not reaped yet.
type SignalReq struct {
	Key    Key `json:"key"`
	Signal int `json:"signal,omitempty"`
	// Tree also reaches what left the process group: reparented children, then whatever bears the launch marker.
	// It works after the launch itself has exited, too; with SIGKILL it then also waits, for at most a second, until
	// what the launch has written is on disk.
	Tree    bool   `json:"tree,omitempty"`
	Message string `json:"message,omitempty"` // instead of a signal: a JSON line for the IPC channel
}

// Running is one row of List.
type Running struct {
	Key      Key      `json:"key"`
	Launched Launched `json:"launched"`
	Ready    bool     `json:"ready"` // the process has sent "ready" over IPC
	// Listening are the held sockets that it listens on by itself; Drained, that it was asked to drain and has.
	Listening []Address `json:"listening,omitempty"`
	Drained   bool      `json:"drained,omitempty"`
	Exit      *Exit     `json:"exit,omitempty"`
}

// Exit is how a launch ended. Exactly one of Code and Signal is meaningful: a death by signal has Code -1.
type Exit struct {
	Key     Key       `json:"key"`
	Code    int       `json:"code"`
	Signal  int       `json:"signal,omitempty"`
	Unknown bool      `json:"unknown,omitempty"` // the status could not be had; policy treats it as a failure
	At      time.Time `json:"at"`
}

// IPCLine is one line of JSON that a process wrote to its Node IPC channel.
type IPCLine struct {
	Key  Key    `json:"key"`
	Line []byte `json:"line"`
}

// Marker is the value of MarkerEnv in a launch of the given project: it names the launch among all of this machine.
func (k Key) Marker(project string) string {
	return fmt.Sprintf("%s/%s/%d/%d", project, k.App, k.Instance, k.Generation)
}
