package daemon

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"devstack/view"
)

// A process that loses its server can exit milliseconds later, before anybody has asked the server again: the server is asked
// before the exit counts, and the process waits for it.
func TestAnExitWaitsForTheWordOfItsServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "+PONG\r\n")
			c.Close()
		}
	})
	defer served.Wait()
	defer l.Close()
	r := newProject(t, "compose: compose.yaml\napps: [{name: web, command: [sleep, \"1000\"], restart_delay: 0, depends_on: [redis]}]\n")
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	compose := "name: p\nservices: {redis: {image: redis:7, ports: [\"127.0.0.1:" + port + ":6379\"]}}\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(r.file), "compose.yaml"), []byte(compose), 0o600); err != nil {
		t.Fatal(err)
	}
	r.noInfra = true
	r.mustUp()
	pid := r.pids()["web"]
	l.Close()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for web := r.process("web"); ; web = r.process("web") {
		if len(web.Exits) == 0 {
			<-time.After(10 * time.Millisecond)
			continue
		}
		if web.Status != view.Waiting || web.Generation != 1 || web.UnstableRestarts != 0 {
			t.Errorf("after its exit it is %s, launch %d, %d unstable restarts", web.Status, web.Generation, web.UnstableRestarts)
		}
		return
	}
}
