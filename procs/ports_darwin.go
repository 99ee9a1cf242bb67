package procs

import (
	"slices"
	"strconv"

	gopsutil "github.com/shirou/gopsutil/v4/net"

	"devstack/procs/proc"
	"devstack/view"
)

// portFinder asks gopsutil for the listening sockets of each process.
type portFinder struct {
	asked map[int]bool
}

func (f *portFinder) knows(pid int) bool { return f.asked[pid] }

func (f *portFinder) listening(pids []int) map[int][]view.Address {
	f.asked = map[int]bool{}
	found := map[int][]view.Address{}
	for _, pid := range pids {
		f.asked[pid] = true
		connections, err := gopsutil.ConnectionsPid("tcp", int32(pid))
		if err != nil {
			continue
		}
		for _, c := range connections {
			if c.Status == "LISTEN" {
				found[pid] = append(found[pid], view.Address{Host: c.Laddr.IP, Port: int(c.Laddr.Port)})
			}
		}
	}
	return found
}

// treeListens are the addresses that the processes listen on, now.
func treeListens(pids []int) (addresses []view.Address) {
	found := new(portFinder).listening(pids)
	for _, pid := range pids {
		for _, at := range found[pid] {
			if !slices.Contains(addresses, at) {
				addresses = append(addresses, at)
			}
		}
	}
	return addresses
}

// holdsSocket says whether any of the processes listens on a port; see listenerOn.
func holdsSocket(pids []int, port string) bool {
	return slices.ContainsFunc(treeListens(pids), func(at view.Address) bool { return strconv.Itoa(at.Port) == port })
}

// kernel tells on macOS only of one process at a time.
type kernel struct{}

// listenerOn names the socket that listens on a port by the port's number: every port may have one.
func (*kernel) listenerOn(port int) string { return strconv.Itoa(port) }

func (*kernel) close() {}

// treeOf is a process and all that descends from it.
func treeOf(root int) []int {
	table := proc.Table()
	pids := []int{root}
	for n := 0; n < len(pids); n++ {
		for pid, p := range table {
			if p.Parent == pids[n] && pid != root {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// orphansOf finds none: on macOS nobody adopts what has left a tree.
func orphansOf(int) []int { return nil }

// listenerSet knows nothing on macOS.
type listenerSet struct{}

// changed says that there may be a new one.
func (*listenerSet) changed() bool { return true }
