package keeper

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"devstack/procs/keeper/protocol"
)

// maxJournal is the size, in bytes, at which journal, keeper.log and daemon.log begin anew; one older file is kept.
const maxJournal = 1 << 20

// journal is the record of launches and exits, one JSON object per line, for people and for a daemon whose state
// file is older than the truth. Plain writes: they survive the death of processes, not of the machine.
type journal struct {
	path string

	mu   sync.Mutex // guards file and size
	file *os.File
	size int64
}

type journalLine struct {
	Verb     protocol.Verb      `json:"verb"`
	Key      protocol.Key       `json:"key"`
	Launched *protocol.Launched `json:"launched,omitempty"`
	Exit     *protocol.Exit     `json:"exit,omitempty"`
	At       time.Time          `json:"at"`
}

// openJournal begins a new journal; the one of the keeper before is kept beside it.
func openJournal(path string) (*journal, error) {
	f, err := beginFile(path, 0)
	if err != nil {
		return nil, err
	}
	return &journal{path: path, file: f}, nil
}

// continueJournal goes on with the one that is there.
func continueJournal(path string) (*journal, error) {
	f, err := beginFile(path, maxJournal)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	return &journal{path: path, file: f, size: fi.Size()}, nil
}

func (j *journal) launched(k protocol.Key, l protocol.Launched) {
	j.write(journalLine{Verb: protocol.Start, Key: k, Launched: &l, At: l.At})
}

func (j *journal) exited(e protocol.Exit) {
	j.write(journalLine{Verb: protocol.Exited, Key: e.Key, Exit: &e, At: e.At})
}

// write is best effort: a full disk must not keep a process from starting.
func (j *journal) write(line journalLine) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size > maxJournal {
		if f, err := beginFile(j.path, 0); err == nil {
			j.file.Close()
			j.file, j.size = f, 0
		}
	}
	b, err := json.Marshal(line)
	if err != nil {
		return
	}
	n, _ := j.file.Write(append(b, '\n'))
	j.size += int64(n)
}

// beginFile opens a file of mode 0600 for appending; one that is larger than limit is set aside as path.1 first.
func beginFile(path string, limit int64) (*os.File, error) {
	if fi, err := os.Lstat(path); err == nil && fi.Size() > limit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("cannot rotate %s: %w", path, err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return f, nil
}
