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

// probeOf is the healthcheck of one launch.
func (s *supervisor) probeOf(r *run) probe.Probe {
	app, hc := r.app, r.app.Healthcheck
	switch {
	case hc.HTTP != "":
		return probe.HTTP(httpAddress(hc.HTTP, app.Port), s.dialer(r.gen))
	case hc.TCP != "":
		return probe.TCP(hc.TCP, s.dialer(r.gen))
	case hc.LogLine != "":
		pattern, err := regexp.Compile(hc.LogLine)
		if err != nil {
			return broken(fmt.Sprintf("log_line %q: %v", hc.LogLine, err))
		}
		return newLogProbe(pattern, app, r.logStart)
	}
	return execProbe{argv: hc.Exec, dir: app.Cwd, env: app.Environ()}
}

// dialer connects to a launch itself where others answer on the same socket, too: to what it listens on through the
// keeper, and never to its port before it listens there.
func (s *supervisor) dialer(gen int64) probe.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		at, own, err := s.ownAddress(ctx, gen, address)
		switch {
		case err != nil:
			return nil, err
		case own:
			return s.m.opts.Keeper.Connect(ctx, keeper.ConnectReq{Key: s.key(gen), Address: at})
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
}

// ownAddress is where a launch listens under an address of this host.
func (s *supervisor) ownAddress(ctx context.Context, gen int64, address string) (at keeper.Address, own bool, err error) {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text)
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return at, false, nil
	}
	looked := make(chan struct{})
	s.inbox.put(func() {
		defer close(looked)
		r := s.runs[gen]
		if r == nil {
			err = errors.New("it has ended")
			return
		}
		i := slices.IndexFunc(r.listening, func(a keeper.Address) bool { return a.Port == port })
		if own = i >= 0; own {
			at = r.listening[i]
		} else if s.mustListen(r) {
			err = fmt.Errorf("it does not listen on port %d yet", port)
		}
	})
	select {
	case <-looked:
		return at, own, err
	case <-ctx.Done():
		return at, false, ctx.Err()
	case <-s.ctx.Done():
		return at, false, s.ctx.Err()
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
