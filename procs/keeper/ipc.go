package keeper

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// maxIPCLine is the longest message, in bytes, that is read from a process; longer ones are dropped.
const maxIPCLine = 64 << 10

// channel is the keeper's end of a Node IPC channel: one line of JSON per message in both directions.
type channel struct {
	file *os.File
	mu   sync.Mutex // one line at a time
}

// send writes one message and gives up after a second: the process does not read.
func (c *channel) send(line string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.file.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := c.file.Write(append([]byte(line), '\n')); err != nil {
		return fmt.Errorf("cannot send over IPC: %w", err)
	}
	return nil
}

// readIPC forwards what the process sends until it closes its end.
func (k *keeper) readIPC(l *launch) {
	defer l.channel.file.Close()
	r := bufio.NewReaderSize(l.channel.file, 4<<10)
	for {
		line, err := readLine(r, maxIPCLine)
		if err != nil {
			return
		}
		if line == nil {
			k.log.Warn("ipc message dropped: too long", "app", l.key.App, "instance", l.key.Instance, "gen", l.key.Generation)
			continue
		}
		if len(line) == 0 || bytes.HasPrefix(line, []byte(`{"cmd":"NODE_`)) {
			continue // Node talks to itself
		}
		k.mu.Lock()
		if bytes.Equal(line, []byte(`"ready"`)) {
			l.ready = true
		}
		k.notify(&Message{Verb: IPC, IPC: &IPCLine{Key: l.key, Line: line}})
		k.mu.Unlock()
	}
}

// readLine returns the next line without its end, or nil for one that is longer than limit.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	line, tooLong := []byte{}, false
	for {
		part, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if len(line)+len(part) > limit {
			tooLong = true
		}
		if !tooLong {
			line = append(line, part...)
		}
		if err == nil {
			break
		}
	}
	if tooLong {
		return nil, nil
	}
	return bytes.TrimSuffix(line, []byte("\n")), nil
}
