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
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"devstack/procs/keeper/sockets"

	"devstack/procs/keeper/logs"

	"devstack/procs/keeper/protocol"

	"devstack/procs/files"
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

type keeper struct {
	opts     Options
	since    time.Time
	log      *slog.Logger
	lock     *os.File // of the directory
	place    *os.File // of the state directory
	null     *os.File
	listener *net.UnixListener
	journal  *journal
	logs     *logs.Recorder
	children *children
	tree     *tree

	sigs     chan os.Signal        // SIGTERM and SIGINT
	finished chan struct{}         // closed when the shutdown is complete
	upgrades chan protocol.ExecReq // for the loop to carry out
	answers  sync.WaitGroup        // to launches that waited for a socket, on their way
	working  sync.WaitGroup        // everything else that runs beside the loop; the end waits for it

	mu       sync.Mutex               // guards what follows; taken before the locks of children, channels and log files
	launches map[protocol.Key]*launch // running, or exited and not acked
	talking  map[*launch]bool         // whose IPC channel is open
	held     sockets.Holding
	requests []*socketRequest // of launches that wait for a socket
	session  *session         // the daemon's connection, nil while none runs
	stash    []byte
	ending   bool
	over     bool            // nothing runs any more, the logs are on disk
	onOver   []func()        // answers to those who asked for it
	hurry    []chan struct{} // one per stop ladder: halve what is left of the grace

	signalled bool          // SIGTERM or SIGINT has come
	upgrading chan struct{} // nil, except in an upgrade: no daemon is started; closed if it has failed
	quiet     bool          // in an upgrade: nothing may begin that would have to be carried
	failed    *FailedError  // why Run returns an error
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
	return k.failure()
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
	if k.listener, err = bindSocket(o.Socket); err != nil {
		return nil, err
	}
	if err := k.startDaemon(); err != nil {
		k.listener.Close()
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
	k := &keeper{
		opts:     o,
		since:    time.Now(),
		log:      log,
		null:     null,
		journal:  journal,
		logs:     logs.NewRecorder(o.StateDir, o.RetryWrite, log),
		children: &children{alive: map[int]func(syscall.WaitStatus){}},
		tree:     &tree{},
		sigs:     make(chan os.Signal, 16),
		finished: make(chan struct{}),
		upgrades: make(chan protocol.ExecReq, 1),
		launches: map[protocol.Key]*launch{},
		talking:  map[*launch]bool{},
		held:     sockets.Holding{},
	}
	k.heedSignals()
	return k, nil
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
			k.askedToEnd()
		case req := <-k.upgrades:
			k.upgrade(req)
			k.children.reap()
		case <-k.finished:
			k.finish()
			return
		}
	}
}

// finish waits a moment for what still runs beside the loop. A process that the kernel does not let go may hold it up.
func (k *keeper) finish() {
	k.mu.Lock()
	k.quiet = true
	for l := range k.talking {
		l.channel.Close() // a survivor may have the other end
	}
	k.mu.Unlock()
	if !within(leaveTime, &k.working) || !within(leaveTime, &k.answers) {
		k.log.Warn("something still runs that should have ended")
	}
}

// within waits for a group, but no longer than limit; false: it is not done. What waits ends with the group.
func within(limit time.Duration, group *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

// notify sends a notification to the daemon, if there is one; otherwise List will tell. k.mu is held.
func (k *keeper) notify(m *protocol.Message) {
	if k.session != nil {
		k.session.out.add(m)
	}
}
