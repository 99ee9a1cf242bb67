package monit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/daemon/api"
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

func serviceRow(s api.Service, now time.Time) row {
	r := row{
		key: s.Name, name: s.Name, state: s.State, health: s.Health,
		restarts: strconv.Itoa(s.Restarts), up: uptime(s.StartedAt, s.State == "running", now), ready: s.Ready,
	}
	r.cpu, r.memory = usage(s.CPUPercent, s.MemoryBytes)
	var details []string
	if s.StoppedBy != nil {
		details = append(details, "stopped by "+*s.StoppedBy)
	}
	var ports []int
	for _, port := range s.Ports {
		ports = append(ports, port.HostPort)
	}
	details = append(details, s.Image, portList(ports))
	r.detail = sentence(details)
	return r
}

func processRow(p api.Process, now time.Time) row {
	r := row{
		key: p.Name, name: instanceName(p.Name, p.Instance), state: p.Status, health: "-",
		restarts: strconv.Itoa(p.Restarts), up: uptime(p.StartedAt, p.Pid != nil, now), ready: p.Ready,
	}
	switch {
	case p.Ready:
		r.health = "ready"
	case p.Pid != nil:
		r.health = "not ready"
	}
	r.cpu, r.memory = usage(p.CPUPercent, p.MemoryBytes)
	var details []string
	if len(p.WaitingFor) > 0 {
		details = append(details, "waits for "+strings.Join(p.WaitingFor, ", "))
	}
	if p.Exit != nil {
		details = append(details, exitText(*p.Exit))
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

// usage is percent of one core and bytes, in words.
func usage(percent *float64, bytes *int64) (cpu, memory string) {
	cpu, memory = "-", "-"
	if percent != nil {
		cpu = fmt.Sprintf("%.0f%%", *percent)
	}
	if bytes != nil {
		memory = size(*bytes)
	}
	return cpu, memory
}

// instanceName is what the tables of devstack call an instance.
func instanceName(name string, instance int) string {
	if instance == 0 {
		return name
	}
	return fmt.Sprintf("%s#%d", name, instance)
}

// exitText is how the last launch ended, and when.
func exitText(e api.Exit) string {
	text := "ended, status unknown"
	switch {
	case e.Signal != nil:
		text = "ended by " + *e.Signal
	case e.Code != nil:
		text = fmt.Sprintf("exited with code %d", *e.Code)
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return "last " + text + " at " + e.At.Local().Format(time.TimeOnly)
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

func uptime(at *time.Time, running bool, now time.Time) string {
	if at == nil || !running {
		return "-"
	}
	switch d := now.Sub(*at); {
	case d < time.Second:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

// size is a number of bytes, in units of 1024.
func size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%dB", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%dK", bytes>>10)
	case bytes < 1<<30:
		return fmt.Sprintf("%dM", bytes>>20)
	}
	return fmt.Sprintf("%.1fG", float64(bytes)/(1<<30))
}
