package infra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"

	"github.com/compose-spec/compose-go/v2/types"
	gopsutil "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"devstack/view"
)

// wantedPort is a fixed port that a service is about to publish.
type wantedPort struct {
	service string
	view.PublishedPort
	held bool // by the service's own container, which goes before
}

// portConflicts are all ports that the plan's containers could not publish, each an *Error that names who has it, joined.
func portConflicts(ctx context.Context, p *types.Project, obs Observed, plan Plan) error {
	var taken []error
	for _, w := range wantedPorts(p, obs, plan) {
		owner := containerWith(w, obs)
		if owner == "" && !w.held && w.Protocol == "tcp" && listening(ctx, w.PublishedPort) {
			owner = processWith(ctx, w.HostPort)
		}
		if owner == "" {
			continue
		}
		taken = append(taken, &Error{
			PortTaken, w.service, fmt.Sprintf("port %d, wanted by service %s, is taken by %s", w.HostPort, w.service, owner),
			fmt.Sprintf("stop it, or publish another port for service %s in the Compose file (or the variable it reads)", w.service),
		})
	}
	return errors.Join(taken...)
}

// wantedPorts are those of the containers that the plan starts.
func wantedPorts(p *types.Project, obs Observed, plan Plan) []wantedPort {
	var out []wantedPort
	for _, o := range plan.Ops {
		if o.Kind != OpStart {
			continue
		}
		held := slices.ContainsFunc(obs.Containers, func(c Container) bool { return c.Service == o.Service && running(c.State) })
		for _, port := range DeclaredPorts(p.Services[o.Service]) {
			out = append(out, wantedPort{o.Service, port, held})
		}
	}
	return out
}

// containerWith is the running container that publishes a port already, or another service that also wants it.
func containerWith(w wantedPort, obs Observed) string {
	for _, o := range obs.Others {
		if !running(o.State) || !slices.ContainsFunc(o.Ports, w.overlaps) {
			continue
		}
		if o.Project == "" {
			return "the container " + o.Name
		}
		return fmt.Sprintf("the container %s of the Compose project %s", o.Name, o.Project)
	}
	for _, c := range obs.Containers {
		if c.Service != w.service && running(c.State) && slices.ContainsFunc(c.Ports, w.overlaps) {
			return fmt.Sprintf("the container %s of service %s", c.Name, c.Service)
		}
	}
	return ""
}

// overlaps says that two published ports cannot both be had.
func (w wantedPort) overlaps(o view.PublishedPort) bool {
	if w.HostPort != o.HostPort || w.Protocol != o.Protocol {
		return false
	}
	return everywhere(w.HostIP) || everywhere(o.HostIP) || w.HostIP == o.HostIP
}

func everywhere(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

// listening tries the port as the engine will.
func listening(ctx context.Context, p view.PublishedPort) bool {
	hosts := []string{p.HostIP}
	if p.HostIP == "" {
		hosts = []string{"0.0.0.0", "::"}
	}
	for _, host := range hosts {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(p.HostPort)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return true
		}
		if err == nil {
			l.Close()
		}
	}
	return false
}

// processWith names the process that listens on a port, as far as this user may know.
func processWith(ctx context.Context, port int) string {
	const nobody = "another process (whose name this user may not see)"
	all, err := gopsutil.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nobody
	}
	for _, c := range all {
		if int(c.Laddr.Port) != port || c.Status != "LISTEN" || c.Pid == 0 {
			continue
		}
		name := "a process"
		if p, err := process.NewProcessWithContext(ctx, c.Pid); err == nil {
			if n, err := p.NameWithContext(ctx); err == nil && n != "" {
				name = n
			}
		}
		return fmt.Sprintf("%s (pid %d)", name, c.Pid)
	}
	return nobody
}
