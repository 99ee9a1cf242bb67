package procs

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/proc"
	"devstack/view"
)

// portFinder matches listening sockets with the processes that hold them. A socket whose owners are known is not
// looked for again, so that asking twice costs two small files.
type portFinder struct {
	owners map[string][]int // inode of a listening socket -> pids among those asked for
	asked  map[int]bool
}

func (f *portFinder) knows(pid int) bool { return f.asked[pid] }

// listening returns the ports of the given processes.
func (f *portFinder) listening(pids []int) map[int][]view.Address {
	sockets := listeningSockets()
	complete := len(f.asked) > 0
	for _, pid := range pids {
		complete = complete && f.asked[pid]
	}
	for inode := range sockets {
		_, known := f.owners[inode]
		complete = complete && known
	}
	if !complete {
		f.search(sockets, pids)
	}
	found := map[int][]view.Address{}
	for inode, port := range sockets {
		for _, pid := range f.owners[inode] {
			found[pid] = append(found[pid], port)
		}
	}
	return found
}

// search reads the descriptors of every given process.
func (f *portFinder) search(sockets map[string]view.Address, pids []int) {
	f.owners, f.asked = map[string][]int{}, map[int]bool{}
	for inode := range sockets {
		f.owners[inode] = nil
	}
	for _, pid := range pids {
		f.asked[pid] = true
		for _, inode := range socketsOf(pid) {
			if _, ok := sockets[inode]; ok {
				f.owners[inode] = append(f.owners[inode], pid)
			}
		}
	}
}

// socketsOf are the inodes of the sockets that a process has open; one descriptor after another.
func socketsOf(pid int) (inodes []string) {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	dir, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, fd := range names {
		target, err := os.Readlink(folder + "/" + fd)
		if inode, ok := strings.CutPrefix(target, "socket:["); ok && err == nil {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	return inodes
}

// holdsSocket says whether any of the processes has a socket open.
func holdsSocket(pids []int, inode string) bool {
	return slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(socketsOf(pid), inode) })
}

// treeListens are the addresses that the processes listen on, now.
func treeListens(pids []int) (addresses []view.Address) {
	sockets := listeningSockets()
	for _, pid := range pids {
		for _, inode := range socketsOf(pid) {
			if at, ok := sockets[inode]; ok && !slices.Contains(addresses, at) {
				addresses = append(addresses, at)
			}
		}
	}
	return addresses
}

// treeOf is a process and all that descends from it.
func treeOf(root int) []int {
	var table proc.Reader
	pids := []int{root}
	for n := 0; n < len(pids); n++ {
		pids = append(pids, table.Children(pids[n])...)
	}
	return pids
}

// orphansOf are the processes of a launch that a double fork has taken out of its tree, with all that descends from them: they
// are the keeper's children, too, and carry the launch's marker.
func orphansOf(root int) (pids []int) {
	table := proc.Table()
	marker := proc.Variable(root, keeper.MarkerEnv)
	for pid, p := range table {
		if marker != "" && pid != root && p.Parent == table[root].Parent && proc.Variable(pid, keeper.MarkerEnv) == marker {
			pids = append(pids, treeOf(pid)...)
		}
	}
	return pids
}

// listenerSet are the listening sockets of this machine at the last look.
type listenerSet map[string]view.Address

// changed looks again, and says whether there is one that was not there.
func (l *listenerSet) changed() bool {
	now := listeningSockets()
	before := *l
	*l = now
	for inode := range now {
		if _, known := before[inode]; !known {
			return true
		}
	}
	return false
}
