package procs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
		folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		dir, err := os.Open(folder)
		if err != nil {
			continue
		}
		names, _ := dir.Readdirnames(-1)
		dir.Close()
		for _, fd := range names {
			target, err := os.Readlink(folder + "/" + fd)
			if err != nil || !strings.HasPrefix(target, "socket:[") {
				continue
			}
			inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
			if _, ok := sockets[inode]; ok {
				f.owners[inode] = append(f.owners[inode], pid)
			}
		}
	}
}
