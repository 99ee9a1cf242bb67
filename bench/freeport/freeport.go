// Package freeport finds ports for tests.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Get returns a TCP port that nobody listens on, on any address. It is below those that the kernel gives to outgoing connections,
// one of which would take it away before the test listens on it.
func Get(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprint(":", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("cannot find a free port")
	return 0
}
