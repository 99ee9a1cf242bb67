package prod

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/stack"
)

// probe turns the app's healthcheck into one that the engine can run. An app with a port and no healthcheck is asked
// whether its port accepts connections, which is what devstack takes for ready.
func (a *account) probe() {
	h := a.app.Healthcheck
	if a.w.Kind != Service || h == nil && a.app.Port == 0 {
		return
	}
	budget := a.app.ListenTimeout
	if h == nil {
		a.w.Probe = &Probe{Kind: TCP, Port: a.app.Port, Interval: 5 * time.Second, Timeout: 2 * time.Second, Retries: 3, StartPeriod: budget, Derived: true}
		return
	}
	p := Probe{Interval: h.Interval, Timeout: h.Timeout, Retries: h.Retries, StartPeriod: max(budget, h.StartPeriod)}
	ok := false
	switch {
	case h.HTTP != "":
		ok = askURL(&p, h.HTTP, a.app.Port)
		if ok && (stack.MaskText(h.HTTP) != h.HTTP || asksWithSecret(p.Path)) {
			a.refuse(AppSubject(a.app.Name), "healthcheck.http", "the URL contains a password", "let the path answer without one, or write exec")
		}
	case h.TCP != "":
		p.Kind = TCP
		host, port, err := net.SplitHostPort(h.TCP)
		number, convErr := strconv.Atoi(port)
		p.Port, ok = number, err == nil && convErr == nil && loopback(host)
	case len(h.Exec) > 0:
		subject := AppSubject(a.app.Name)
		p.Kind, ok = Exec, true
		p.Command = a.relocate(subject, "healthcheck.exec", a.argv(subject, "healthcheck.exec", h.Exec))
		p.Command[0], _ = a.program(p.Command[0], h.Exec[0])
	}
	if ok {
		a.w.Probe = &p
	}
}

// askURL is false for another host: its failure is not this workload's.
func askURL(p *Probe, target string, port int) bool {
	p.Kind, p.Scheme, p.Path, p.Port = HTTP, "http", target, port
	if strings.HasPrefix(target, "/") {
		return true
	}
	u, err := url.Parse(target)
	if err != nil || !loopback(u.Hostname()) {
		return false
	}
	p.Scheme, p.Path = u.Scheme, u.RequestURI()
	switch {
	case u.Port() != "":
		p.Port, err = strconv.Atoi(u.Port())
	case u.Scheme == "https":
		p.Port = 443
	default:
		p.Port = 80
	}
	return err == nil
}

// asksWithSecret says that a parameter of a path is a secret by its name.
func asksWithSecret(path string) bool {
	u, err := url.Parse(path)
	if err != nil {
		return false
	}
	for name, values := range u.Query() {
		if soundsSecret(name) && strings.Join(values, "") != "" {
			return true
		}
	}
	return false
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return slices.Contains([]string{"localhost", "0.0.0.0"}, host) || ip != nil && ip.IsLoopback()
}
