package main

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
	"devstack/view"
)

// renderState is the one table of containers and processes, and below it what a row has no room for. width 0: as wide
// as it gets.
func renderState(s *api.State, now time.Time, width int, c style) string {
	t := &table{
		header: []string{"NAME", "KIND", "STATUS", "READY", "↺", "UP", "CPU", "MEM", "PID", "PORTS"},
		right:  []bool{false, false, false, false, true, true, true, true, true, false},
	}
	for _, service := range s.Services {
		t.rows = append(t.rows, serviceRow(service, now))
	}
	for _, process := range s.Processes {
		t.rows = append(t.rows, processRow(process, now))
	}
	if len(t.rows) == 0 {
		return "The stack is empty.\n"
	}
	t.paint = func(row, column int, text string) string {
		switch {
		case row < 0:
			return c.bold(text)
		case column == 2:
			return paintStatus(c, strings.TrimSpace(text), text)
		case column == 3 && strings.TrimSpace(text) == string(view.HealthUnchecked):
			return c.yellow(text)
		case column == 3 && strings.TrimSpace(text) != "no":
			return c.green(text)
		}
		return text
	}
	return t.render(width, 9, 0, 2) + remarks(s, c) + c.dim(footer(s))
}

// footer says what runs the services.
func footer(s *api.State) string {
	switch {
	case len(s.Services) == 0:
		return ""
	case s.Infra == "docker":
		return "services: docker\n"
	case s.Infra == "native":
		return "services: native, with the servers of this machine\n"
	}
	return ""
}

func serviceRow(s view.Service, now time.Time) []string {
	cpu, memory := format.Usage(s.CPUPercent, s.MemoryBytes)
	return []string{
		s.Name, "service", serviceStatus(s), readiness(s.Ready, s.ReadyBy), strconv.Itoa(s.Restarts), format.Uptime(s.StartedAt, s.State == "running", now),
		cpu, memory, "-", strings.Join(servicePorts(s), ","),
	}
}

func processRow(p view.Process, now time.Time) []string {
	cpu, memory := format.Usage(p.CPUPercent, p.MemoryBytes)
	pid := "-"
	if p.Pid != nil {
		pid = strconv.Itoa(*p.Pid)
	}
	var ports []string
	for _, port := range p.Ports {
		ports = append(ports, strconv.Itoa(port.Port))
	}
	slices.Sort(ports)
	return []string{
		format.Instance(p.Name, p.Instance), "process", string(p.Status), readiness(p.Ready, p.ReadyBy), strconv.Itoa(p.Restarts),
		format.Uptime(p.StartedAt, p.Pid != nil, now), cpu, memory, pid, strings.Join(slices.Compact(ports), ","),
	}
}

// serviceStatus is the one word for a container: its health while it runs, or when it has done its work.
func serviceStatus(s view.Service) string {
	if s.State == "running" && s.Health != "" || s.Health == view.HealthCompleted {
		return string(s.Health)
	}
	return s.State
}

// servicePorts are the published ports, each once, whatever addresses it is published on.
func servicePorts(s view.Service) []string {
	var ports []string
	for _, p := range s.Ports {
		text := strconv.Itoa(p.HostPort)
		if p.Protocol != "tcp" && p.Protocol != "" {
			text += "/" + p.Protocol
		}
		if !slices.Contains(ports, text) {
			ports = append(ports, text)
		}
	}
	return ports
}

// readiness is what READY rests on, or no.
func readiness(ready bool, by view.Text) string {
	if !ready {
		return "no"
	}
	return cmp.Or(string(by), "yes") // an older devstackd does not say it
}

// remarks are what rows mean, where one word does not say it.
func remarks(s *api.State, c style) string {
	var out strings.Builder
	for _, service := range s.Services {
		if service.StoppedBy != "" {
			fmt.Fprintf(&out, "%s: stopped by %s\n", service.Name, stopper(service.StoppedBy))
		}
	}
	for _, p := range s.Processes {
		name := format.Instance(p.Name, p.Instance)
		switch {
		case p.Status == "waiting" && len(p.WaitingFor) > 0:
			fmt.Fprintf(&out, "%s: waits for %s\n", name, strings.Join(p.WaitingFor, ", "))
		case (p.Status == "errored" || p.Status == "waiting restart") && p.Exit != nil:
			fmt.Fprintf(&out, "%s: %s\n", name, p.Exit.Ending())
		}
	}
	return c.yellow(out.String())
}

func stopper(by view.Text) string {
	if by == view.ByOther {
		return "other (docker stop, docker compose, a signal or the like); devstack up starts it again"
	}
	return string(by)
}

func paintStatus(c style, status, text string) string {
	switch status {
	case "online", "healthy", "completed":
		return c.green(text)
	case "errored", "unhealthy", "exited", "dead":
		return c.red(text)
	case "stopped", "absent":
		return c.dim(text)
	}
	return c.yellow(text)
}

// endpoints are where the stack can be reached, one aligned line each: URLs without secrets, and the ports of debuggers.
func endpoints(s *api.State, links []api.Link) []string {
	type endpoint struct{ name, at string }
	var all []endpoint
	add := func(e endpoint) {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	for _, service := range s.Services {
		for _, p := range service.Ports {
			if p.HostPort != 0 && service.State == "running" {
				add(endpoint{service.Name, scheme(p) + "://" + net.JoinHostPort(reachable(p.HostIP), strconv.Itoa(p.HostPort))})
			}
		}
	}
	for _, link := range links {
		at := string(link.URL)
		if link.Kind == api.LinkInspector {
			at = "inspector :" + strconv.Itoa(link.Port)
		}
		add(endpoint{link.Name, at})
	}
	width := 0
	for _, e := range all {
		width = max(width, len(e.name))
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, pad(e.name, width)+"  "+e.at)
	}
	return lines
}

func scheme(p view.PublishedPort) string {
	switch {
	case p.ContainerPort == 6379:
		return "redis"
	case p.ContainerPort == 5432:
		return "postgres"
	case p.Protocol == "udp":
		return "udp"
	}
	return "tcp"
}

// reachable is the host to type for an address that is listened on.
func reachable(host string) string {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	if ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		return "localhost"
	}
	return ip.String()
}

// renderFailures says of each resource that is not what was asked for why, with its last lines and the logs that they are in.
func renderFailures(failures []api.Failure, c style) string {
	var out strings.Builder
	for _, f := range failures {
		fmt.Fprintf(&out, "%s %s: %s\n", c.red("✗"), c.bold(f.Resource), printableLines(f.Message))
		for _, line := range f.LastLines {
			fmt.Fprintf(&out, "    %s\n", excerpt(line, c))
		}
		for _, file := range f.LogFiles {
			fmt.Fprintf(&out, "    log: %s\n", file)
		}
	}
	return out.String()
}
