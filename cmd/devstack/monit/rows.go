package monit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
	"devstack/view"
)

// row is a container or an instance of an app, in words.
type row struct {
	key      string // what commands call it: its name, or its id where the name means several instances
	name     string
	state    string
	health   string
	cpu      string
	memory   string
	restarts string
	up       string
	detail   string // what one row has no room for
	ready    bool
}

// rowsOf are the containers, then the processes, in the order of the state.
func rowsOf(s *api.State, now time.Time) []row {
	var rows []row
	for _, service := range s.Services {
		rows = append(rows, serviceRow(service, now))
	}
	instances := map[string]int{}
	for _, p := range s.Processes {
		instances[p.Name]++
	}
	for _, p := range s.Processes {
		r := processRow(p, now)
		if instances[p.Name] > 1 {
			r.key = strconv.Itoa(p.ID)
		}
		rows = append(rows, r)
	}
	return rows
}

func serviceRow(s view.Service, now time.Time) row {
	r := row{
		key: s.Name, name: s.Name, state: s.State, health: string(s.Health),
		restarts: strconv.Itoa(s.Restarts), up: format.Uptime(s.StartedAt, s.State == "running", now), ready: s.Ready,
	}
	r.cpu, r.memory = format.Usage(s.CPUPercent, s.MemoryBytes)
	var details []string
	if s.StoppedBy != "" {
		details = append(details, "stopped by "+string(s.StoppedBy))
	}
	var ports []int
	for _, port := range s.Ports {
		ports = append(ports, port.HostPort)
	}
	details = append(details, s.Image, portList(ports))
	r.detail = sentence(details)
	return r
}

func processRow(p view.Process, now time.Time) row {
	r := row{
		key: p.Name, name: format.Instance(p.Name, p.Instance), state: string(p.Status), health: "-",
		restarts: strconv.Itoa(p.Restarts), up: format.Uptime(p.StartedAt, p.Pid != nil, now), ready: p.Ready,
	}
	switch {
	case p.Ready:
		r.health = "ready"
	case p.Pid != nil:
		r.health = "not ready"
	}
	r.cpu, r.memory = format.Usage(p.CPUPercent, p.MemoryBytes)
	var details []string
	if len(p.WaitingFor) > 0 {
		details = append(details, "waits for "+strings.Join(p.WaitingFor, ", "))
	}
	if p.Exit != nil {
		details = append(details, "last "+format.Exit(*p.Exit)+" at "+p.Exit.At.Local().Format(time.TimeOnly))
	}
	if p.Pid != nil {
		details = append(details, fmt.Sprintf("pid %d", *p.Pid))
	}
	var ports []int
	for _, port := range p.Ports {
		ports = append(ports, port.Port)
	}
	r.detail = sentence(append(details, portList(ports)))
	return r
}

// portList names each port once.
func portList(ports []int) string {
	slices.Sort(ports)
	var words []string
	for _, port := range slices.Compact(ports) {
		words = append(words, strconv.Itoa(port))
	}
	switch len(words) {
	case 0:
		return ""
	case 1:
		return "port " + words[0]
	}
	return "ports " + strings.Join(words, ", ")
}

// sentence joins what there is to say.
func sentence(parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · ")
}
