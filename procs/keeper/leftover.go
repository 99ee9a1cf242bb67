package keeper

import (
	"os"
	"strings"

	"devstack/procs/keeper/protocol"
	"devstack/procs/proc"
)

// describe writes into the lock of the state directory which directory this keeper has locked.
func (k *keeper) describe() error {
	directory, err := protocol.DirectoryOf(k.lock)
	if err != nil {
		return err
	}
	return protocol.Holder{
		Dir: k.opts.Dir, ID: k.opts.ID, StateDir: k.opts.StateDir, Socket: k.opts.Socket, Directory: directory, Pid: os.Getpid(),
	}.Describe(k.place)
}

// endLeftBehind kills what an earlier keeper, which was killed with its daemon, has left running: of this path, and of
// paths at which this directory was when such a keeper ran. It returns their pids.
func endLeftBehind(o Options, directory string) ([]int, error) {
	if other := otherHome(o); other != "" {
		return nil, protocol.OtherHome(o.Dir)
	}
	pids := killMarked(ofProject(o.ID))
	for _, h := range protocol.Recorded(o.StateDir, directory) {
		place, err := protocol.LockPlace(h.StateDir)
		if err != nil {
			continue // another keeper has begun there, and has done this
		}
		pids = append(pids, killMarked(ofProject(h.ID))...)
		_ = place.Truncate(0)
		place.Close()
	}
	return pids, nil
}

// otherHome is the state directory of a keeper that runs the same path from another home: its daemon says so by its marker.
func otherHome(o Options) string {
	for pid := range proc.Table() {
		dir, ok := strings.CutPrefix(proc.Variable(pid, protocol.MarkerEnv), daemonMarker(o.ID, ""))
		if ok && dir != "" && dir != o.StateDir && protocol.PlaceLocked(dir) {
			return dir
		}
	}
	return ""
}
