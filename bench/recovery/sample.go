package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"devstack/daemon/api"
)

type options struct{ dir, place, devstack, logDir, unit, only string }

// sample is the running stack that suffers.
type sample struct {
	options
	client *api.Client
	url    string // of the orchestrator
	docker bool   // its services are containers, whoever started them
	last   string // the pipeline that was submitted last while the disk of the logs was full
}

// open needs a stack that is ready.
func open(ctx context.Context, o options) (*sample, error) {
	at, err := api.Locate(o.dir, os.Getenv("DEVSTACK_HOME"))
	if err != nil {
		return nil, err
	}
	s := &sample{options: o, client: api.NewClient(at.Socket)}
	state, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	s.docker = state.Infra != "native"
	for _, p := range state.Processes {
		if p.Name == orchestrator && len(p.Ports) > 0 {
			s.url = "http://127.0.0.1:" + strconv.Itoa(p.Ports[0].Port)
		}
	}
	if s.url == "" {
		return nil, errors.New("this is not the sample: no orchestrator listens")
	}
	return s, nil
}

// ready is the state, and an error as long as not all of it is ready.
func (s *sample) ready(ctx context.Context) (*api.State, error) {
	state, err := s.client.State(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range state.Processes {
		if !p.Ready {
			return nil, fmt.Errorf("%s is %s and not ready", p.Name, p.Status)
		}
	}
	for _, v := range state.Services {
		if !v.Ready {
			return nil, fmt.Errorf("%s is %s and not ready", v.Name, v.Health)
		}
	}
	if len(state.Processes) == 0 {
		return nil, errors.New("no process is there")
	}
	return state, nil
}

func pids(state *api.State) map[string]int {
	out := map[string]int{}
	for _, p := range state.Processes {
		if p.Pid != nil {
			out[p.Name] = *p.Pid
		}
	}
	return out
}

// submit begins a pipeline.
func (s *sample) submit(ctx context.Context) (id string, err error) {
	var made struct{ ID string }
	err = s.ask(ctx, http.MethodPost, "/pipelines", `{"name":"recovery"}`, &made)
	return made.ID, err
}

// completed is nil when all tasks of a pipeline are.
func (s *sample) completed(ctx context.Context, id string) error {
	var p struct{ Status string }
	if err := s.ask(ctx, http.MethodGet, "/pipelines/"+id, "", &p); err != nil {
		return err
	}
	if p.Status != "completed" {
		return errors.New("the pipeline is " + p.Status)
	}
	return nil
}

func (s *sample) ask(ctx context.Context, method, path, body string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		return errors.Join(err, fmt.Errorf("%s %s: %s %s", method, path, resp.Status, data))
	}
	return json.Unmarshal(data, answer)
}

// port is where a service is published.
func port(state *api.State, service string) (int, error) {
	for _, v := range state.Services {
		if v.Name == service && len(v.Ports) > 0 {
			return v.Ports[0].HostPort, nil
		}
	}
	return publishedByFile(service)
}

// publishedByFile is for services that others run, of which the daemon knows no port: the sample's own.
func publishedByFile(service string) (int, error) {
	name, standard := strings.ToUpper(service)+"_PORT", map[string]int{"redis": 6380, "postgres": 5433}[service]
	if v := os.Getenv(name); v != "" {
		return strconv.Atoi(v)
	}
	return standard, nil
}

// speaks is nil when a new connection is answered as only a server that is ready does: +PONG, or a request to log in.
func (s *sample) speaks(state *api.State, service string) error {
	n, err := port(state, service)
	if err != nil {
		return err
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n)), time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	hello, want := []byte("PING\r\n"), "+"
	if service == "postgres" {
		hello, want = []byte("\x00\x00\x00\x16\x00\x03\x00\x00user\x00agentic\x00\x00"), "R"
	}
	if _, err := c.Write(hello); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if string(answer) != want {
		return errors.New(service + " is not ready yet")
	}
	return nil
}

// serverPid is the process of a service on this host.
func (s *sample) serverPid(ctx context.Context, state *api.State, service string) (int, error) {
	if s.docker {
		id, err := s.container(ctx, state, service)
		if err != nil {
			return 0, err
		}
		out, err := exec.CommandContext(ctx, "docker", "inspect", "-f", "{{.State.Pid}}", id).Output()
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(string(bytes.TrimSpace(out)))
	}
	n, err := port(state, service)
	if err != nil {
		return 0, err
	}
	all, err := gopsutil.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		if int(c.Laddr.Port) == n && c.Status == "LISTEN" && c.Pid != 0 {
			return int(c.Pid), nil
		}
	}
	return 0, fmt.Errorf("nobody listens on port %d", n)
}

func (s *sample) container(ctx context.Context, state *api.State, service string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", "ps", "-aq",
		"--filter", "label=com.docker.compose.project="+state.Project, "--filter", "label=com.docker.compose.service="+service).Output()
	if id := string(bytes.TrimSpace(out)); err == nil && id != "" {
		return id, nil
	}
	return "", errors.Join(err, errors.New("there is no container of "+service))
}

// run is a command of devstack about the stack.
func (s *sample) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, s.devstack, append([]string{"-C", s.dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("devstack %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func parent(pid int) (int, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, err
	}
	ppid, err := p.Ppid()
	return int(ppid), err
}

// logsAgain is nil when the orchestrator's log knows the end of the last pipeline.
func (s *sample) logsAgain() error {
	files, err := filepath.Glob(filepath.Join(s.logDir, orchestrator+"*"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(s.last+" completed")) {
			return nil
		}
	}
	return errors.New("no log knows that pipeline " + s.last + " has completed")
}
