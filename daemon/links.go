package daemon

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// linkTime is how long all ports together may take to answer.
const linkTime = 300 * time.Millisecond

// door is a port that a process listens on or declares, and what is known of it without asking.
type door struct {
	process  procs.Process
	host     string // to ask
	port     int
	declared bool // the definition names it, and the process is ready
	http     bool // its healthcheck has just had an answer
}

// doors are the ports of all processes that run, those that a definition names before the others of the process.
func doors(st *stack.Stack, processes []procs.Process) []door {
	var all []door
	for _, p := range processes {
		i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name })
		if i < 0 || p.Pid == nil {
			continue
		}
		app, mine := st.Apps[i].Instance(p.Instance), []door{}
		checked := 0
		if app.Healthcheck != nil && app.Healthcheck.HTTP != "" {
			if checked = probedPort(*app.Healthcheck); checked == 0 {
				checked = app.Port
			}
		}
		add := func(host string, port int) {
			if port != 0 && !slices.ContainsFunc(mine, func(d door) bool { return d.port == port }) {
				mine = append(mine, door{p, reachable(host), port, p.Ready && port == app.Port, p.Ready && port == checked})
			}
		}
		for _, at := range p.Ports {
			if at.Port == app.Port {
				add(at.Host, at.Port)
			}
		}
		add("", app.Port)
		for _, at := range p.Ports {
			add(at.Host, at.Port)
		}
		all = append(all, mine...)
	}
	return all
}

// reachable is the host to ask, and to type, for an address that is listened on.
func reachable(host string) string {
	ip := net.ParseIP(host)
	if ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		return "localhost"
	}
	return ip.String()
}

// links are the ports of processes that answer, inspectors last. They are asked side by side.
func links(ctx context.Context, st *stack.Stack, processes []procs.Process) []api.Link {
	all := doors(st, processes)
	kinds := make([]string, len(all))
	ctx, cancel := context.WithTimeout(ctx, linkTime)
	defer cancel()
	var asked sync.WaitGroup
	for i, d := range all {
		asked.Go(func() { kinds[i] = d.kind(ctx) })
	}
	asked.Wait()
	out := []api.Link{}
	for i, d := range all {
		link := api.Link{Name: d.process.Name, Instance: d.process.Instance, Port: d.port, Kind: kinds[i]}
		switch kinds[i] {
		case "":
			continue
		case api.LinkHTTP:
			link.URL = view.Text("http://" + net.JoinHostPort(d.host, strconv.Itoa(d.port)))
		}
		out = append(out, link)
	}
	slices.SortStableFunc(out, func(a, b api.Link) int { // nobody looks for a debugger first
		return cmp.Compare(a.Kind, b.Kind)
	})
	return out
}

// kind is what answers: the kind of a link, empty for none. A declared port that takes its time counts as HTTP: the page may be
// a slow one.
func (d door) kind(ctx context.Context) string {
	if d.http {
		return api.LinkHTTP
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(d.host, strconv.Itoa(d.port))+"/", nil)
	if err != nil {
		return ""
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	switch {
	case err != nil && ctx.Err() != nil && d.declared:
		return api.LinkHTTP
	case err != nil:
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 200))             // what it says counts as far as it came
	if bytes.HasPrefix(body, []byte("WebSockets request was expected")) { // an inspector's word for whoever is no debugger
		return api.LinkInspector
	}
	return api.LinkHTTP
}
