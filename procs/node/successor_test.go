package node

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"devstack/bench/freeport"
)

// TestSuccessorWaits shows that a successor listens, can be asked by itself, and takes no connection that others could
// have before it is told to.
func TestSuccessorWaits(t *testing.T) {
	const source = `const s = require('http').createServer((q, r) => { console.log('request', q.url); r.end() })
		s.listen(PORT, () => console.log('up', s.address().port, process.env.DEVSTACK_SUCCESSOR))`
	for name, connected := range map[string]bool{"told": true, "its channel is gone": false} {
		t.Run(name, func(t *testing.T) {
			k, port := newKeeper(t), freeport.Get(t)
			app := strings.ReplaceAll(source, "PORT", fmt.Sprint(port))
			if !connected {
				app += "\ns.on('listening', () => process.disconnect())"
			}
			first := k.run(app)
			first.expect(fmt.Sprintf("listening :%d", port))
			first.kill(syscall.SIGKILL)
			k.successor = true
			second := k.run(app)
			second.expect(fmt.Sprintf("listening :%d", port))
			second.expect(fmt.Sprintf("up %d undefined", port))
			conn := dial(t, "localhost", port) // waits in the queue
			send(t, conn, "/queued")
			if connected {
				probe := second.feed("", port)
				if head := ask(t, probe, "/probe"); !strings.HasPrefix(head, "HTTP/1.1 200") {
					t.Errorf("the probe is answered %q", head)
				}
				second.expect("request /probe")
				second.never("request /queued")
				second.say(Accept, nil)
			}
			second.expect("request /queued")
		})
	}
}
