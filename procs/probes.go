package procs

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"devstack/probe"
	"devstack/stack"
)

// probeOf is the app's healthcheck for the newest launch.
func (s *supervisor) probeOf(app stack.App) probe.Probe {
	hc := app.Healthcheck
	switch {
	case hc.HTTP != "":
		return probe.HTTP(httpAddress(hc.HTTP, app.Port))
	case hc.TCP != "":
		return probe.TCP(hc.TCP)
	case hc.LogLine != "":
		pattern, err := regexp.Compile(hc.LogLine)
		if err != nil {
			return broken(fmt.Sprintf("log_line %q: %v", hc.LogLine, err))
		}
		return newLogProbe(pattern, app, s.logStart)
	}
	return execProbe{argv: hc.Exec, dir: app.Cwd, env: app.Environ()}
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
