package stack

import (
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

var (
	healthcheckKinds  = []string{"http", "exec", "tcp", "log_line"}
	healthcheckTimers = []string{"interval", "timeout", "retries", "start_period"}
)

// healthcheck reads one probe with its timers. A probe is missing in a layer that only sets timers: define sees the
// merged mapping, and there it is required.
func (d *definition) healthcheck(n *yaml.Node) *Healthcheck {
	h := &Healthcheck{Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 3}
	known := slices.Concat(healthcheckKinds, healthcheckTimers)
	var kinds []string
	for _, e := range d.entries(n, "healthcheck") {
		what := "healthcheck." + e.key.Value
		if slices.Contains(healthcheckKinds, e.key.Value) {
			kinds = append(kinds, e.key.Value)
		}
		switch e.key.Value {
		case "http":
			h.HTTP = d.httpProbe(e.value)
		case "exec":
			h.Exec = d.argv(e.value, what)
		case "tcp":
			h.TCP = d.tcpProbe(e.value)
		case "log_line":
			h.LogLine = d.text(e.value, what)
			if _, err := regexp.Compile(h.LogLine); err != nil {
				d.at(e.value, "healthcheck.log_line is not a regular expression: %v", err)
			}
		case "interval":
			h.Interval = d.positive(e.value, what)
		case "timeout":
			h.Timeout = d.positive(e.value, what)
		case "retries":
			h.Retries = d.integer(e.value, what, 1, math.MaxInt)
		case "start_period":
			h.StartPeriod = d.duration(e.value, what)
		case "test":
			d.at(e.key, "healthcheck.test is Compose's; an app's is exec, http, tcp or log_line")
			kinds = append(kinds, "test")
		default:
			d.unknownKey(e, "healthcheck", known)
		}
	}
	switch {
	case len(kinds) > 1:
		d.at(n, "a healthcheck is one of http, exec, tcp and log_line, not %s", strings.Join(kinds, " and "))
	case len(kinds) == 0 && d.Name != "" && n.Kind == yaml.MappingNode:
		d.at(n, "the healthcheck of app %q needs http, exec, tcp or log_line", d.Name)
	}
	return h
}

// httpProbe is a path on the app's port, or a whole URL.
func (d *definition) httpProbe(n *yaml.Node) string {
	v := d.text(n, "healthcheck.http")
	if v == "" || strings.HasPrefix(v, "/") {
		return v
	}
	if u, err := url.Parse(v); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		d.at(n, "healthcheck.http must be a path such as /healthz or an http(s) URL, not %q", v)
	}
	return v
}

// tcpProbe is host:port; a port alone means this machine's.
func (d *definition) tcpProbe(n *yaml.Node) string {
	v := strings.TrimPrefix(d.element(n, "healthcheck.tcp"), ":")
	if !strings.Contains(v, ":") {
		v = "localhost:" + v
	}
	host, port, err := net.SplitHostPort(v)
	if number, convErr := strconv.Atoi(port); err != nil || convErr != nil || number < 1 || number > 65535 || host == "" {
		d.at(n, "healthcheck.tcp must be host:port, not %s", describe(n))
		return ""
	}
	return v
}

// mergeHealthchecks merges key by key; a probe in upper replaces another kind of probe in lower.
func mergeHealthchecks(lower, upper *yaml.Node) *yaml.Node {
	if lower == nil || lower.Kind != yaml.MappingNode {
		return upper
	}
	for _, kind := range healthcheckKinds {
		if lookup(upper, kind) != nil {
			lower = without(lower, healthcheckKinds)
			break
		}
	}
	return mergeMappings(lower, upper)
}

// without is a mapping without some keys.
func without(n *yaml.Node, keys []string) *yaml.Node {
	out := *n
	out.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !slices.Contains(keys, n.Content[i].Value) {
			out.Content = append(out.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &out
}

func showHealthcheck(a *App) any {
	h := a.Healthcheck
	if h == nil {
		return nil
	}
	out := map[string]any{
		"interval": FormatDuration(h.Interval), "timeout": FormatDuration(h.Timeout),
		"retries": h.Retries, "start_period": FormatDuration(h.StartPeriod),
	}
	switch {
	case h.HTTP != "":
		out["http"] = MaskText(h.HTTP)
	case h.Exec != nil:
		out["exec"] = MaskArgs(h.Exec)
	case h.TCP != "":
		out["tcp"] = h.TCP
	default:
		out["log_line"] = h.LogLine
	}
	return out
}
