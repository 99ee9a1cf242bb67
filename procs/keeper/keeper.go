// Package keeper is the small parent of everything that devstack runs in one project: of each process and of the
// daemon itself. It forks, waits, owns the pipes and the log files, and hands the API socket to the daemon. It
// takes no decisions.
//
// Promise: the daemon may be killed, hang or be replaced at any time; no process notices, no log line and no exit
// status is lost, nothing runs twice. An exit is kept until the daemon has acked it. The sockets that a launch with
// Hold listens on stay open when it dies: connections wait for the next launch, until the daemon releases them.
//
// The keeper itself is replaced in place (Exec): another executable goes on in its process with every launch, pipe, channel,
// held socket and unacked exit; an unfinished line or message goes along. One that does not run is refused before.
//
// Limits: on macOS the daemon alone can be replaced. While no daemon runs, messages of processes other than "ready" and
// what the preload says are dropped. A keeper killed with SIGKILL takes the reading end of every pipe with it, so
// processes that write die of EPIPE; statuses and at most one unfinished line per stream are lost. The next keeper ends
// what survived before it starts anything. Nothing is synced to the platter: after a power cut, logs lack what the
// kernel had not written.
package keeper

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"devstack/procs/files"
	"devstack/procs/keeper/logs"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
)

// Options is what a keeper is started with. An upgrade carries them under these names.
type Options struct {
	Dir      string   // the project directory, which is locked
	ID       string   // 12 hex digits of its real path
	StateDir string   // journal, logs of keeper and daemon, log indexes; made with mode 0700
	Socket   string   // the API socket
	Daemon   []string // the daemon's argv
	Environ  []string // the daemon's environment; nil: the keeper's own

	// Ready, if not nil, gets one line and is closed: "ok" once the socket is bound and the daemon runs, "locked"
	// if another keeper has the project, or "error: ...".
	Ready *os.File `json:"-"`

	// For tests. 0: 5 s between pings, 1 s as the first delay of a respawn, 2 s until a failed log write is retried.
	PingEvery, RespawnDelay, RetryWrite time.Duration
}

// keeper wires what it is made of, each part with its own file and lock, and is the loop that serves signals. Locks are
// taken in this order: shutdown, heldSockets, launches, supervisor; then those whose holders call nobody: children, journal,
// stash, outboxes, channels and log files.
type keeper struct {
	opts     Options
	since    time.Time
	log      *slog.Logger
	lock     *os.File // of the directory
	place    *os.File // of the state directory
	null     *os.File
	sigs     chan os.Signal // SIGTERM and SIGINT
	children *children
	logs     *logs.Recorder
	launches *launches
	sockets  *heldSockets
	daemon   *supervisor
	requests *requests
	upgrade  *upgrade
	shutdown *shutdown
	stash    stash
}

// Run is the keeper's life: it returns after a shutdown, or when the keeper could not begin. The caller is the
// leader of a session of its own.
func Run(o Options) error {
	k, err := begin(o)
	protocol.TellReady(o.Ready, err)
	if err != nil {
		return err
	}
	k.loop() // the lock ends with the process: who has waited for it finds no keeper any more
	return k.shutdown.failure()
}

// Foreground is a keeper's life in the caller's own process, for a service manager that watches this process. It has to
// lead a session, as Run says; the shell's job that cannot leads at least its process group.
func Foreground(o Options) error {
	_, _ = syscall.Setsid() // EPERM: it leads a group already
	return Run(o)
}

func begin(o Options) (_ *keeper, err error) {
	if err := files.PrivateDir(o.StateDir); err != nil {
		return nil, err
	}
	place, err := protocol.LockPlace(o.StateDir)
	if err != nil {
		return nil, err
	}
	lock, err := protocol.LockDirectory(o.Dir)
	defer func() {
		if err != nil {
			place.Close()
			lock.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	k, err := newKeeper(o, openJournal)
	if err != nil {
		return nil, err
	}
	k.lock, k.place = lock, place
	if err := k.clear(); err != nil {
		return nil, err
	}
	if k.daemon.listener, err = bindSocket(o.Socket); err != nil {
		return nil, err
	}
	if err := k.daemon.start(); err != nil {
		k.daemon.listener.Close()
		os.Remove(o.Socket)
		return nil, err
	}
	if err := k.describe(); err != nil {
		k.log.Error("commands will not find this stack if its directory is moved", "err", err)
	}
	return k, nil
}

// clear makes sure that nothing is ever run twice: an earlier keeper may have been killed together with its daemon.
func (k *keeper) clear() error {
	if err := k.place.Truncate(0); err != nil {
		return err
	}
	directory, err := protocol.DirectoryOf(k.lock)
	if err != nil {
		return err
	}
	pids, err := endLeftBehind(k.opts, directory)
	if len(pids) > 0 {
		k.log.Warn("ended what an earlier keeper left behind", "pids", pids)
	}
	return err
}

func newKeeper(o Options, openJournal func(path string) (*journal, error)) (*keeper, error) {
	if err := files.PrivateDir(o.StateDir); err != nil {
		return nil, err
	}
	logFile, err := beginFile(filepath.Join(o.StateDir, "keeper.log"), maxJournal)
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	journal, err := openJournal(filepath.Join(o.StateDir, "journal"))
	if err != nil {
		return nil, err
	}
	if err := becomeSubreaper(); err != nil {
		return nil, fmt.Errorf("cannot become the parent of orphans: %w", err)
	}
	if o.PingEvery == 0 {
		o.PingEvery = 5 * time.Second
	}
	if o.RespawnDelay == 0 {
		o.RespawnDelay = time.Second
	}
	if o.RetryWrite == 0 {
		o.RetryWrite = 2 * time.Second
	}
	log := slog.New(slog.NewTextHandler(logFile, nil)).With("pid", os.Getpid())
	k := &keeper{opts: o, since: time.Now(), log: log, null: null, sigs: make(chan os.Signal, 16)}
	k.wire(journal)
	k.heedSignals()
	return k, nil
}

// wire makes the parts, each of which knows those that it uses.
func (k *keeper) wire(journal *journal) {
	finished := make(chan struct{})
	k.children = &children{alive: map[int]func(syscall.WaitStatus){}}
	k.logs = logs.NewRecorder(k.opts.StateDir, k.opts.RetryWrite, k.log)
	k.upgrade = &upgrade{k: k, agreed: make(chan protocol.ExecReq, 1)}
	k.requests = newRequests(k)
	k.daemon = &supervisor{
		opts: k.opts, log: k.log, null: k.null, children: k.children, handle: k.requests.handle, finished: finished,
	}
	k.launches = &launches{
		project: k.opts.ID, log: k.log, null: k.null, children: k.children, tree: &tree{}, logs: k.logs, journal: journal,
		notify: k.daemon.notify, byKey: map[protocol.Key]*launch{}, talking: map[*launch]bool{},
	}
	k.sockets = &heldSockets{log: k.log, launches: k.launches, held: sockets.Holding{}}
	k.launches.listen = (&talk{log: k.log, launches: k.launches, sockets: k.sockets}).read
	k.shutdown = &shutdown{
		project: k.opts.ID, log: k.log, launches: k.launches, sockets: k.sockets, daemon: k.daemon, logs: k.logs,
		release: k.release, finished: finished,
	}
}

func (k *keeper) heedSignals() { signal.Notify(k.sigs, syscall.SIGTERM, syscall.SIGINT) }

func (k *keeper) loop() {
	k.log.Info("keeper runs", "project", k.opts.ID, "dir", k.opts.Dir)
	defer k.log.Info("keeper ends")
	defer signal.Stop(k.sigs)
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	k.children.reap() // whoever died before we listened
	for {
		select {
		case <-died:
			k.children.reap()
		case s := <-k.sigs:
			k.log.Info("asked to end", "signal", s.String())
			k.shutdown.signalled()
		case req := <-k.upgrade.agreed:
			k.upgrade.perform(req)
			k.children.reap()
		case <-k.shutdown.finished:
			k.finish()
			return
		}
	}
}

// release gives up the API socket and the record in the lock of the state directory; the locks end with the process.
func (k *keeper) release() {
	k.daemon.listener.Close()
	if err := k.place.Truncate(0); err != nil {
		k.log.Warn("cannot empty keeper.lock", "err", err)
	}
	if err := os.Remove(k.opts.Socket); err != nil && !os.IsNotExist(err) {
		k.log.Warn("cannot remove the API socket", "err", err)
	}
}

// finish waits a moment for what still runs beside the loop. A process that the kernel does not let go may hold it up.
func (k *keeper) finish() {
	k.sockets.setQuiet(true)
	k.launches.closeChannels() // a survivor may have the other end
	working := []*sync.WaitGroup{
		&k.shutdown.working, &k.daemon.working, &k.requests.working, &k.launches.listening, &k.launches.tree.walking, &k.sockets.answers,
	}
	if !within(leaveTime, working...) {
		k.log.Warn("something still runs that should have ended")
	}
}

// within waits for groups, but no longer than limit; false: they are not done. What waits ends with the groups.
func within(limit time.Duration, groups ...*sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		for _, group := range groups {
			group.Wait()
		}
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
