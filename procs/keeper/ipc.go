package keeper

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxIPCLine is the longest message, in bytes, that is read from a process; longer ones are dropped.
const maxIPCLine = 64 << 10

// sendTime is how long a message waits for a process that does not read.
const sendTime = time.Second

// maxUnacked is how many descriptors are on their way to one process.
const maxUnacked = 8

// channel is the keeper's end of a Node IPC channel: one line of JSON per message in both directions. Like Node,
// each end acknowledges every descriptor that it gets.
type channel struct {
	wire   *wire
	turn   chan struct{} // capacity 1: full while a line is being written
	closed chan struct{} // closed when the process has closed its end

	mu      sync.Mutex
	unacked []chan<- bool // of the descriptors on their way, oldest first
}

func newChannel(w *wire) *channel {
	return &channel{wire: w, turn: make(chan struct{}, 1), closed: make(chan struct{})}
}

// send writes one message and gives up after a second: the process does not read.
func (c *channel) send(line string) error { return c.pass(line, nil, nil) }

// pass is send with a descriptor; arrived, which has room for one word, is told once whether the process has got it.
// EAGAIN: too many before it are still on their way. A line that has begun is written to its end, however long that
// takes, so that the next one is a line, too.
func (c *channel) pass(line string, d *descriptor, arrived chan<- bool) error {
	limit := time.NewTimer(sendTime)
	defer limit.Stop()
	select {
	case c.turn <- struct{}{}:
	case <-limit.C:
		return fmt.Errorf("cannot send over IPC: %w", os.ErrDeadlineExceeded)
	}
	if d != nil && !c.expect(arrived) {
		<-c.turn
		return fmt.Errorf("cannot send over IPC: the process does not answer: %w", syscall.EAGAIN)
	}
	b := append([]byte(line), '\n')
	_ = c.wire.SetWriteDeadline(time.Now().Add(sendTime))
	n, err := c.wire.send(b, d)
	_ = c.wire.SetWriteDeadline(time.Time{})
	if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		go func() {
			_, _ = c.wire.Write(b[n:])
			<-c.turn
		}()
		return nil
	}
	if err != nil {
		if d != nil {
			c.unexpect()
		}
		err = fmt.Errorf("cannot send over IPC: %w", err)
	}
	<-c.turn
	return err
}

// ack says that a descriptor has arrived. It waits for a process that does not read, and nothing more of it is read
// meanwhile: Node never blocks when it sends, so this ends as soon as its event loop turns.
func (c *channel) ack() {
	c.turn <- struct{}{}
	_, _ = c.wire.Write([]byte(`{"cmd":"NODE_HANDLE_ACK"}` + "\n"))
	<-c.turn
}

// expect and unexpect are called by who has the turn, so the order is that on the wire.
func (c *channel) expect(arrived chan<- bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unacked) >= maxUnacked {
		return false
	}
	c.unacked = append(c.unacked, arrived)
	return true
}

func (c *channel) unexpect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.unacked); n > 0 {
		c.unacked = c.unacked[:n-1]
	}
}

// acked tells who sent the oldest descriptor.
func (c *channel) acked(arrived bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unacked) > 0 {
		c.unacked[0] <- arrived
		c.unacked = c.unacked[1:]
	}
}

// readIPC forwards what the process sends until it closes its end.
func (k *keeper) readIPC(l *launch) {
	c := l.channel
	defer c.wire.Close()
	defer c.wire.discard()
	defer close(c.closed)
	r := bufio.NewReaderSize(c.wire, 4<<10)
	for {
		line, whole, err := readLine(r, maxIPCLine)
		if err != nil {
			return
		}
		switch {
		case bytes.HasPrefix(line, []byte(`{"cmd":"NODE_`)):
			k.internalLine(l, line, whole) // Node, or its preload, talks to its parent
		case !whole:
			k.log.Warn("ipc message dropped: too long", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation)
		case len(line) > 0:
			k.forwardLine(l, line)
		}
		if r.Buffered() == 0 {
			c.wire.discard() // its line has been read, and did not take it
		}
	}
}

func (k *keeper) forwardLine(l *launch, line []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if bytes.Equal(line, []byte(`"ready"`)) {
		l.ready = true
	}
	k.notify(&Message{Verb: IPC, IPC: &IPCLine{Key: l.key, Line: line}})
}

// readLine returns the next line without its end, or the beginning of one that is longer than limit.
func readLine(r *bufio.Reader, limit int) (line []byte, whole bool, err error) {
	whole = true
	for {
		part, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, false, err
		}
		if len(line)+len(part) > limit {
			whole = false
		}
		if whole {
			line = append(line, part...)
		}
		if err == nil {
			return bytes.TrimSuffix(line, []byte("\n")), whole, nil
		}
	}
}
