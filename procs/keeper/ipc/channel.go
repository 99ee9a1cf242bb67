// Package ipc is the keeper's end of Node's IPC channel: lines of JSON in both directions, and descriptors beside them. What
// the lines mean is the keeper's business.
package ipc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"devstack/procs/keeper/pause"
	"devstack/procs/keeper/protocol"
)

// maxLine is the longest message, in bytes, that is read from a process; longer ones are dropped.
const maxLine = 64 << 10

// sendTime is how long a message waits for a process that does not read.
const sendTime = time.Second

// MaxUnacked is how many descriptors are on their way to one process.
const MaxUnacked = 8

// Channel is the keeper's end of a Node IPC channel: one line of JSON per message in both directions. Like Node,
// each end acknowledges every descriptor that it gets.
type Channel struct {
	conn    *protocol.FDConn
	turn    chan struct{} // capacity 1: full while a line is being written
	Closed  chan struct{} // closed when the process has closed its end
	in      lineReader    // of the goroutine that reads
	parking pause.Point   // where that goroutine waits during an upgrade
	turned  bool          // the upgrade has the turn

	mu        sync.Mutex // guards what follows
	unacked   []Passed   // the descriptors on their way, oldest first
	quiet     bool       // an upgrade is under way: nothing is written
	unwritten []byte     // what is to be written after it
}

// Passed is a descriptor on its way to a process.
type Passed struct {
	Arrived chan<- bool // has room for one word: whether the process has got it; nil: nobody wants to know
	Nack    string      // the message that follows if it has not; "": none
}

// NewChannel takes over w.
func NewChannel(w *protocol.FDConn) *Channel {
	return &Channel{
		conn: w, turn: make(chan struct{}, 1), Closed: make(chan struct{}),
		in: lineReader{r: bufio.NewReaderSize(w, 4<<10)},
	}
}

// Next returns the next line that the process sends, without its end, or the beginning of one that is too long. An upgrade
// that fails makes it wait.
func (c *Channel) Next() (line []byte, whole bool, err error) {
	for {
		line, whole, err = c.in.next(maxLine)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return line, whole, err
		}
		c.parking.Wait()
	}
}

// Take returns the descriptor that came with the line, nil if there is none. The caller closes it.
func (c *Channel) Take() *protocol.Descriptor { return c.conn.Take() }

// Discard closes what came with a line that was read and did not take it.
func (c *Channel) Discard() {
	if c.in.r.Buffered() == 0 {
		c.conn.Discard()
	}
}

// Close makes who reads hang up.
func (c *Channel) Close() { c.conn.Close() }

// HangUp is the end of who reads. It returns when nobody writes the rest of a line any more.
func (c *Channel) HangUp() {
	close(c.Closed)
	c.conn.Discard()
	c.conn.Close()
	c.turn <- struct{}{} // who writes the rest of a line has it
	<-c.turn
}

// Send writes one message and gives up after a second: the process does not read.
func (c *Channel) Send(line string) error { return c.Pass(line, nil, Passed{}) }

// Pass is send with a descriptor. EAGAIN: too many before it are still on their way. A line that has begun is written
// to its end, however long that takes, so that the next one is a line, too.
func (c *Channel) Pass(line string, d *protocol.Descriptor, p Passed) error {
	limit := time.NewTimer(sendTime)
	defer limit.Stop()
	select {
	case c.turn <- struct{}{}:
	case <-limit.C:
		return fmt.Errorf("cannot send over IPC: %w", os.ErrDeadlineExceeded)
	}
	if d != nil && !c.expect(p) {
		<-c.turn
		return fmt.Errorf("cannot send over IPC: the process does not answer: %w", syscall.EAGAIN)
	}
	b := append([]byte(line), '\n')
	c.writeUntil(time.Now().Add(sendTime))
	n, err := c.conn.Send(b, d)
	quiet := c.writeUntil(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) && (n > 0 || quiet && d == nil) {
		go func() { // it keeps the turn, for which HangUp waits
			c.finish(b[n:], n > 0)
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

// Ack says that a descriptor has arrived. It waits for a process that does not read, and nothing more of it is read
// meanwhile: Node never blocks when it sends, so this ends as soon as its event loop turns.
func (c *Channel) Ack() {
	c.turn <- struct{}{}
	c.finish([]byte(`{"cmd":"NODE_HANDLE_ACK"}`+"\n"), false)
	<-c.turn
}

// finish writes b, the rest of a line if that has begun, however long it takes. What an upgrade interrupts is kept for
// afterwards. The caller has the turn.
func (c *Channel) finish(b []byte, begun bool) {
	n, err := c.conn.Write(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if begun || n > 0 {
		c.unwritten = slices.Concat(b[n:], c.unwritten)
	} else {
		c.unwritten = append(c.unwritten, b...)
	}
}

// writeUntil sets how long writes may take, except in an upgrade.
func (c *Channel) writeUntil(t time.Time) (quiet bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.quiet {
		_ = c.conn.SetWriteDeadline(t)
	}
	return c.quiet
}

// expect and unexpect are called by who has the turn, so the order is that in which the process gets them.
func (c *Channel) expect(p Passed) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unacked) >= MaxUnacked {
		return false
	}
	c.unacked = append(c.unacked, p)
	return true
}

func (c *Channel) unexpect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.unacked); n > 0 {
		c.unacked = c.unacked[:n-1]
	}
}

// Acked tells who sent the oldest descriptor, and the process what follows if it did not arrive.
func (c *Channel) Acked(arrived bool) {
	c.mu.Lock()
	var p Passed
	if len(c.unacked) > 0 {
		p, c.unacked = c.unacked[0], c.unacked[1:]
	}
	c.mu.Unlock()
	if p.Arrived != nil {
		p.Arrived <- arrived
	}
	if !arrived && p.Nack != "" {
		_ = c.Send(p.Nack)
	}
}

// lineReader cuts what a process sends into lines. After an error it can go on where it was.
type lineReader struct {
	r    *bufio.Reader
	line []byte // the beginning of the next line, as far as it was read
	long bool   // that line is longer than the limit
}

// next returns the next line without its end, or the beginning of one that is longer than limit.
func (r *lineReader) next(limit int) (line []byte, whole bool, err error) {
	for {
		part, err := r.r.ReadSlice('\n')
		if len(r.line)+len(part) > limit {
			r.long = true
		}
		if !r.long {
			r.line = append(r.line, part...)
		}
		if err == nil {
			line, whole = bytes.TrimSuffix(r.line, []byte("\n")), !r.long
			r.line, r.long = nil, false
			return line, whole, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, false, err
		}
	}
}
