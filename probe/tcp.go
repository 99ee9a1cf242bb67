package probe

import (
	"context"
	"net"
)

// TCP is ready when addr (host:port) accepts a connection. That says little (a proxy accepts for a server that is not
// up yet), so it is only for apps that ask for it.
func TCP(addr string) Probe {
	return Func(func(ctx context.Context) Result {
		conn, err := dial(ctx, addr)
		if err != nil {
			return failed(ctx, addr, err)
		}
		conn.Close()
		return Result{Ready: true, Detail: addr + " accepts connections"}
	})
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
