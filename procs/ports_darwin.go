package procs

import (
	gopsutil "github.com/shirou/gopsutil/v4/net"

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
