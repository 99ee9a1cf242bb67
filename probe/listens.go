package probe

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"
)

// silence is how long a server may say nothing on a new connection to count as listening: one that is not there does not keep a
// connection open, whatever proxy has accepted it.
const silence = 300 * time.Millisecond

// Listens is ready when somebody keeps a connection to addr (host:port) open, or speaks on it. It is for servers whose protocol
// nobody here speaks. Docker's proxy accepts for a server that is not up yet, and closes the connection: that is no answer.
func Listens(addr string) Probe {
	return Func(func(ctx context.Context) Result {
		conn, err := dial(ctx, addr)
		if err != nil {
			return failed(ctx, addr, err)
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		_, err = conn.Read(make([]byte, 1))
		if kept := errors.Is(err, os.ErrDeadlineExceeded); err != nil && !kept || ctx.Err() != nil {
			return failed(ctx, addr, errors.Join(err, ctx.Err()))
		}
		port := portOf(addr)
		return Result{Ready: true, Alive: true, By: ListensOn(port), Detail: "listens on port " + strconv.Itoa(port)}
	})
}
