package procs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devstack/probe"
	keeper "devstack/procs/keeper/protocol"
)

// healthcheck is the app's healthcheck of this launch. Call done after the last look.
func (r *readiness) healthcheck() (check probe.Probe, done func()) {
	app, hc := r.l.app, r.l.app.Healthcheck
	done = func() {}
	switch {
	case hc.HTTP != "":
		return probe.HTTP(httpAddress(hc.HTTP, app.Port), r.dial), done
	case hc.TCP != "":
		return probe.TCP(hc.TCP, r.dial), done
	case hc.LogLine != "":
		pattern, err := regexp.Compile(hc.LogLine)
		if err != nil {
			return broken(fmt.Sprintf("cannot use log_line %q: %v", hc.LogLine, err)), done
		}
		lines, done := linesSince(app, r.l.logStart)
		return probe.LogLine(lines, pattern), done
	}
	return probe.Exec(probe.Command{Name: strings.Join(hc.Exec, " "), Argv: hc.Exec}, runIn(app.Cwd, app.Environ())), done
}

// dial connects to the launch itself where others answer on the same socket, too: to what it listens on through the
// keeper, and never to its port before it listens there.
func (r *readiness) dial(ctx context.Context, network, address string) (net.Conn, error) {
	at, own, err := r.ownAddress(ctx, address)
	switch {
	case err != nil:
		return nil, err
	case own:
		return r.s.control.connect(ctx, r.l.gen, at)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// ownAddress is where the launch listens under an address of this host.
func (r *readiness) ownAddress(ctx context.Context, address string) (at keeper.Address, own bool, err error) {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text)
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return at, false, nil
	}
	looked := make(chan struct{})
	r.s.inbox.put(func() {
		defer close(looked)
		if r.s.launches[r.l.gen] == nil {
			err = errors.New("it has ended")
			return
		}
		i := slices.IndexFunc(r.l.listening, func(a keeper.Address) bool { return a.Port == port })
		if own = i >= 0; own {
			at = r.l.listening[i]
		} else if r.l.mustListen(r.s.machine) {
			err = fmt.Errorf("it does not listen on port %d yet", port)
		}
	})
	select {
	case <-looked:
		return at, own, err
	case <-ctx.Done():
		return at, false, ctx.Err()
	case <-r.s.ctx.Done():
		return at, false, r.s.ctx.Err()
	}
}

// httpAddress completes a path with the app's own port. The name localhost reaches IPv4 and IPv6 listeners.
func httpAddress(address string, port int) string {
	if strings.HasPrefix(address, "/") {
		return fmt.Sprintf("http://localhost:%d%s", port, address)
	}
	return address
}

func broken(detail string) probe.Probe {
	return probe.Func(func(context.Context) probe.Result { return probe.Result{Broken: true, Detail: detail} })
}
