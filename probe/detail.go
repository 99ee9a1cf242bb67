package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// failed is the Result of an attempt at addr that ended with err, in words for people.
func failed(ctx context.Context, addr string, err error) Result {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Result{Detail: "nothing listens on " + addr + " yet"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(err.Error(), "server closed idle connection"): // net/http's word where the close was quicker than the request
		return Result{Detail: addr + " closed the connection without an answer"}
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Result{Detail: addr + " did not answer in time"}
	}
	return Result{Detail: addr + ": " + err.Error()}
}
