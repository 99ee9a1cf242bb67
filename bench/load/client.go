package load

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// maxBody is the largest body, in bytes, that is read of an answer.
const maxBody = 1 << 20

// client sends one request after the other.
type client struct {
	load *Load
	keep bool
	conn *net.TCPConn // nil: none is open
	in   *bufio.Reader
	last error // of reading from conn
}

func (c *client) run(first time.Duration) {
	defer c.close()
	for c.pause(first) && c.load.begin() {
		first = c.load.o.Pause
		began := time.Now()
		server, err := c.request(began.Add(c.load.o.Timeout))
		if err != nil {
			c.close()
		}
		c.load.ended(server, err, time.Since(began))
	}
}

// pause says whether to go on after it.
func (c *client) pause(length time.Duration) bool {
	if length <= 0 {
		return c.load.end.Err() == nil
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.load.end.Done():
		return false
	}
}

// request sends one request, once, and returns who answered it. Every error is a *failure.
func (c *client) request(deadline time.Time) (string, error) {
	if err := c.connect(deadline); err != nil {
		return "", err
	}
	ask := "GET " + c.load.o.Path + " HTTP/1.1\r\nHost: " + c.load.o.Address + "\r\n"
	if !c.keep {
		ask += "Connection: close\r\n"
	}
	if _, err := c.conn.Write([]byte(ask + "\r\n")); err != nil {
		return "", inFlight(err)
	}
	resp, err := http.ReadResponse(c.in, &http.Request{Method: http.MethodGet})
	if err != nil {
		return "", inFlight(cmp.Or(c.last, err))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return "", inFlight(cmp.Or(c.last, err))
	}
	if resp.Close || !c.keep {
		c.close()
	} else if c.in.Buffered() > 0 {
		return "", &failure{bad, errors.New("more than one answer to one request")}
	}
	server, err := c.load.o.Server(resp.StatusCode, body)
	if err != nil {
		return "", &failure{bad, err}
	}
	return server, nil
}

// connect makes sure that there is a connection which, as far as anybody can tell, is open.
func (c *client) connect(deadline time.Time) error {
	if c.conn != nil {
		if err := c.conn.SetDeadline(deadline); err != nil {
			return &failure{bad, err}
		}
		state, err := idle(c.conn)
		switch {
		case err != nil:
			return &failure{bad, err}
		case state == open:
			return nil
		case state == speaking:
			return &failure{bad, errors.New("an answer that nobody asked for")}
		}
		c.close()
		c.load.connected(0, 1)
	}
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", c.load.o.Address)
	if err != nil {
		return connecting(err)
	}
	c.load.connected(1, 0)
	c.conn = conn.(*net.TCPConn)
	c.in, c.last = bufio.NewReader(c), nil
	if err := conn.SetDeadline(deadline); err != nil {
		return &failure{bad, err}
	}
	return nil
}

// Read is the connection's, remembered: a parser says what is wrong with half an answer, not why there is no more of it.
func (c *client) Read(b []byte) (int, error) {
	n, err := c.conn.Read(b)
	c.last = err
	return n, err
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // of no more use, whatever it says
		c.conn = nil
	}
}

// The states of a connection on which nothing is under way.
type idleState int

const (
	open     idleState = iota // nothing has come
	closed                    // the server has closed it, or reset it
	speaking                  // the server has sent something
)

// idle looks at what has come, without waiting and without taking it.
func idle(conn *net.TCPConn) (idleState, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return closed, err
	}
	var n int
	var peeked error
	err = raw.Read(func(fd uintptr) bool {
		n, _, peeked = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	switch {
	case err != nil:
		return closed, err
	case errors.Is(peeked, syscall.EAGAIN):
		return open, nil
	case peeked != nil || n == 0:
		return closed, nil
	}
	return speaking, nil
}

// failure is why a request was not answered as it should be.
type failure struct {
	kind kind
	err  error
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %v", f.kind, f.err) }
func (f *failure) Unwrap() error { return f.err }

// kind is what a failure is counted as.
type kind string

const (
	refused  kind = "refused"
	reset    kind = "reset"
	timedOut kind = "timeout"
	bad      kind = "bad"
)

// connecting is the failure of a connection that was never made.
func connecting(err error) *failure {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &failure{refused, err}
	}
	return inFlight(err)
}

// inFlight is the failure of a request that was, at least partly, sent.
func inFlight(err error) *failure {
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return &failure{timedOut, err}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{reset, err}
	}
	return &failure{bad, err}
}
