package probe

import (
	"context"
	"net"
	"strconv"
)

// Dial makes a connection for a probe; nil: net.Dialer.DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// TCP is ready when addr (host:port) accepts a connection. That says little (a proxy accepts for a server that is not
// up yet), so it is only for apps that ask for it.
func TCP(addr string, dial Dial) Probe {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return Func(func(ctx context.Context) Result {
		conn, err := dial(ctx, "tcp", addr)
		if err != nil {
			return failed(ctx, addr, err)
		}
		conn.Close()
		return Result{Ready: true, By: ListensOn(portOf(addr)), Detail: addr + " accepts connections"}
	})
}

// portOf is the port of host:port; 0: it has none.
func portOf(addr string) int {
	_, text, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(text)
	return port
}

func dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return conn, nil
}
