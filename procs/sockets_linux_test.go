package procs

import (
	"maps"
	"net"
	"slices"
	"testing"

	"devstack/view"
)

func TestListeningSockets(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		host, _, _ := net.SplitHostPort(address)
		want := view.Address{Host: host, Port: l.Addr().(*net.TCPAddr).Port}
		for name, found := range map[string]map[string]view.Address{"netlink": listeningSockets(), "tables": socketsFromTables()} {
			if !slices.Contains(slices.Collect(maps.Values(found)), want) {
				t.Errorf("%s: %v not found in %v", name, want, found)
			}
		}
	}
}
