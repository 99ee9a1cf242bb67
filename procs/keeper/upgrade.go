package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"devstack/procs/keeper/protocol"
)

// An upgrade in place: the keeper executes another executable in its own process, so that it stays the parent of all that
// it runs, and starts a new daemon. What it knows goes along in memory (carry.go), descriptors stay open.

// The hidden subcommand `keeper` of the executable that takes over: `keeper check N` says by its exit code whether it
// understands version N of what it would be handed, `keeper resume FD DIR` goes on with it; DIR is for who reads ps.
const (
	checkArg  = "check"
	resumeArg = "resume"
)

const (
	checkTime = 10 * time.Second // for an executable to say that it runs
	quietTime = 5 * time.Second  // for everything that is under way in the keeper to come to a stop
)

// upgrade replaces the executable of a keeper: all of it goes along, so that this part knows the whole.
type upgrade struct {
	k      *keeper
	agreed chan protocol.ExecReq // for the loop to perform; holds one
}

// request serves ExecReq: answer is called before anything is touched if the upgrade is refused, else when it begins.
func (u *upgrade) request(s *session, req protocol.ExecReq, answer func(error)) {
	if err := u.tryExecutables(req); err != nil {
		answer(fmt.Errorf("cannot upgrade: %w", err))
		return
	}
	if err := u.begin(); err != nil {
		answer(err)
		return
	}
	u.k.log.Info("upgrade", "keeper", req.Self, "daemon", req.Daemon)
	answer(nil)
	u.retire(s)
	u.agreed <- req
}

// tryExecutables finds out whether what is to take over runs at all.
func (u *upgrade) tryExecutables(req protocol.ExecReq) error {
	if err := upgradable(); err != nil {
		return err
	}
	if len(req.Daemon) == 0 || !filepath.IsAbs(req.Self) || !filepath.IsAbs(req.Daemon[0]) {
		return fmt.Errorf("the executables are not given by absolute paths: %w", syscall.EINVAL)
	}
	if fi, err := os.Stat(req.Daemon[0]); err != nil {
		return err
	} else if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file: %w", req.Daemon[0], syscall.EACCES)
	}
	if err := unix.Access(req.Daemon[0], unix.X_OK); err != nil {
		return fmt.Errorf("%s: %w", req.Daemon[0], err)
	}
	ended := make(chan syscall.WaitStatus, 1)
	null := u.k.null.Fd()
	pid, err := u.k.children.start(req.Self, []string{req.Self, "keeper", checkArg, strconv.Itoa(carryVersion)}, &syscall.ProcAttr{
		Dir: "/", Env: u.k.daemon.env(), Files: []uintptr{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true},
	}, func(status syscall.WaitStatus) { ended <- status })
	if err != nil {
		return fmt.Errorf("%s: %w", req.Self, err)
	}
	select {
	case status := <-ended:
		if status != 0 {
			return fmt.Errorf("%s cannot go on with what this keeper runs: its check ends with %d: %w", req.Self, status.ExitStatus(), syscall.ENOEXEC)
		}
		return nil
	case <-time.After(checkTime):
		_ = u.k.children.signalGroup(pid, syscall.SIGKILL)
		return fmt.Errorf("%s does not answer: %w", req.Self, syscall.ETIMEDOUT)
	}
}

// checkCarried is `keeper check`.
func checkCarried(args []string) error {
	if len(args) < 1 {
		return errors.New("usage: keeper check VERSION; run by the keeper")
	}
	version, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if version > carryVersion {
		return fmt.Errorf("this keeper goes on with version %d, not %d", carryVersion, version)
	}
	return nil
}

// begin keeps daemons from being started until the upgrade has failed.
func (u *upgrade) begin() error {
	if u.k.shutdown.begins() {
		return fmt.Errorf("cannot upgrade: the keeper is ending: %w", syscall.ESHUTDOWN)
	}
	if !u.k.daemon.pause() {
		return fmt.Errorf("cannot upgrade: another upgrade is under way: %w", syscall.EBUSY)
	}
	return nil
}

// retire returns when the daemon, which was told, has left, by itself or not, and what it asked for is done.
func (u *upgrade) retire(s *session) {
	select {
	case <-s.ended:
	case <-time.After(leaveTime):
		u.k.daemon.end(s, syscall.SIGTERM)
	}
	<-s.served
	within(quietTime, &s.requests)
}

// perform is called by the loop: nobody reaps, and no signal is served, meanwhile. It returns only if it fails; then
// everything goes on as before, with a new daemon.
//
// A SIGTERM in the milliseconds in which the new executable starts ends it at once, as kill -9 does: Go lets in what would
// end a program, whatever mask it inherits.
func (u *upgrade) perform(req protocol.ExecReq) {
	err := u.quiesce()
	if err == nil {
		err = u.become(req)
	}
	u.k.log.Error("cannot upgrade: everything goes on as before", "err", err)
	u.unquiesce()
	u.k.daemon.resume()
}

// become takes every lock, so that nothing changes while it is gathered and no child is on its way.
func (u *upgrade) become(req protocol.ExecReq) error {
	k := u.k
	for _, l := range []sync.Locker{&k.shutdown.mu, &k.sockets.mu, &k.launches.mu, &k.children.mu} {
		l.Lock()
		defer l.Unlock()
	}
	c, open, err := gather(k, req)
	if err != nil {
		return err
	}
	defer k.heedSignals()
	return handOver(req.Self, c, open, func() error {
		signal.Stop(k.sigs) // what came before is in the channel
		if k.shutdown.begun || k.shutdown.asked || len(k.sigs) > 0 {
			return fmt.Errorf("the keeper is ending: %w", syscall.ESHUTDOWN)
		}
		return nil
	}, k.opts.Dir)
}
