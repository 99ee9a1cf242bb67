package protocol

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// WriteFrame sends one message, and its descriptor if it has one, with a single call.
func WriteFrame(w *FDConn, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", m.Verb, err)
	}
	if len(body) > MaxMessage {
		return fmt.Errorf("cannot send %s: %d bytes are more than %d", m.Verb, len(body), MaxMessage)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Send(append(frame, body...), m.Attached)
	return err
}

// ReadFrame returns io.EOF when the other side left between two messages. The receiver closes what is attached.
func ReadFrame(r *FDConn) (*Message, error) {
	defer r.Discard() // nothing is read beyond the frame, so whatever is here came with it
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxMessage {
		return nil, fmt.Errorf("cannot read a message: %d bytes are more than %d", n, MaxMessage)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	m := new(Message)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("cannot decode a message: %w", err)
	}
	m.Attached = r.Take()
	return m, nil
}

// Error makes a failed request an ordinary Go error; Unwrap gives the system error, for errors.Is(err, syscall.ENOENT).
func (e *Error) Error() string { return e.Text }

// Unwrap returns the system error behind the failure, or nil.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return syscall.Errno(e.Errno)
}

// ErrorOf is err as an answer carries it.
func ErrorOf(err error) *Error {
	e := &Error{Text: err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		e.Errno = int(errno)
	}
	return e
}
