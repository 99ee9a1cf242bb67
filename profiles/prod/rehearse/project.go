package rehearse

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"devstack/profiles/prod"
)

// startLimit is how long a whole target may take to come up, and trialLimit how long its work may.
const (
	startLimit = 5 * time.Minute
	trialLimit = 2 * time.Minute
)

// askingPause is between two questions to a probe: starting one takes a processor's time away from what it asks.
const askingPause = 500 * time.Millisecond

// project is one run of docker compose: of the exported file, or of one that says what a task definition says.
type project struct {
	*session
	Options
	results
	name     string // of the Compose project
	file     string
	env      []string                 // what the file needs from outside
	services map[string]string        // workload -> service in the file
	started  map[string]time.Duration // workload -> from the start of its container until its probe succeeded
}

func (s *session) newProject(o Options, target, file string) *project {
	p := &project{
		session: s, Options: o, results: o.results(target), name: s.run + "-" + target, file: file,
		services: map[string]string{}, started: map[string]time.Duration{}, env: pairs(o.Secrets),
	}
	for _, w := range o.Export.Model.Workloads {
		p.services[w.Name] = w.Name
		p.env = append(p.env, w.Image.Variable+"="+o.Images[w.App])
	}
	return p
}

// prove brings the project up, looks at everything, and stops it. The checks are in p.checks; an error means that the
// rest could not be looked at.
func (p *project) prove(ctx context.Context) error {
	began := time.Now()
	p.say("starting")
	if err := p.up(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.add("stack", "starts", Failed, time.Since(began), "%v", err)
		for _, w := range p.Export.Model.Workloads {
			p.healthy(ctx, w)
		}
		return nil // without all of it running, the rest would say nothing new
	}
	p.add("stack", "starts", Passed, time.Since(began), "docker compose up --wait")
	p.say("a pipeline")
	p.trial(ctx)
	p.say("health and environments")
	for _, w := range p.Export.Model.Workloads {
		p.healthy(ctx, w)
		p.environment(ctx, w)
	}
	p.say("stopping")
	for _, w := range slices.Backward(p.Export.Model.Workloads) {
		p.gracefulStop(ctx, w)
	}
	for _, w := range p.Export.Model.Workloads {
		p.noSecrets(ctx, w)
	}
	return ctx.Err()
}

// up creates the containers, puts the managed services into their network, and starts them while asking each probe itself:
// the engine asks only every few seconds.
func (p *project) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if _, err := p.composeRun(ctx, "create"); err != nil {
		return err
	}
	for _, m := range p.managed {
		if _, err := docker(ctx, "network", "connect", p.name+"_default", m.container); err != nil {
			return err
		}
	}
	asking, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, w := range p.Export.Model.Workloads {
		argv := w.ProbeArgv()
		ids := p.containers(ctx, w.Name)
		if argv == nil || len(ids) == 0 {
			continue
		}
		all.Go(func() {
			if err := until(asking, startLimit, askingPause, func() error { return inContainer(asking, ids[0], argv) }); err != nil {
				return
			}
			answered := time.Now()
			if c, err := inspect(asking, ids[0]); err == nil {
				mu.Lock()
				defer mu.Unlock()
				p.started[w.Name] = answered.Sub(c.State.StartedAt)
			}
		})
	}
	_, err := p.composeRun(ctx, "up", "-d", "--wait")
	stop()
	all.Wait()
	return err
}

// end removes the project's containers, networks and volumes.
func (p *project) end(ctx context.Context) error {
	if p.o.Keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for _, m := range p.managed {
		_, _ = docker(ctx, "network", "disconnect", "-f", p.name+"_default", m.container) // it may never have been connected
	}
	return p.sweep(ctx, "com.docker.compose.project="+p.name)
}

func (p *project) composeRun(ctx context.Context, args ...string) (string, error) {
	argv := append(slices.Clone(p.compose[1:]), "-p", p.name, "-f", p.file, "--project-directory", filepath.Dir(p.file), "--progress", "quiet")
	return runIn(ctx, p.env, p.compose[0], append(argv, args...)...)
}

// containers are the ids of a workload's containers.
func (p *project) containers(ctx context.Context, workload string) []string {
	out, _ := docker(ctx, "ps", "-aq", "--no-trunc", "--filter", "label=com.docker.compose.project="+p.name,
		"--filter", "label=com.docker.compose.service="+p.services[workload])
	return strings.Fields(out)
}

// container is what the engine tells of one.
type container struct {
	ID           string `json:"Id"`
	RestartCount int
	State        struct {
		Status     string
		Running    bool
		OOMKilled  bool
		ExitCode   int
		StartedAt  time.Time
		FinishedAt time.Time
		Health     *struct{ Status string }
	}
	Config struct {
		User        string
		Env         []string
		Image       string
		WorkingDir  string
		Entrypoint  []string
		Cmd         []string
		StopTimeout *int
		Healthcheck *struct{ Test []string }
	}
	HostConfig struct {
		Memory         int64
		ReadonlyRootfs bool
		Init           *bool
		CapDrop        []string
	}
}

func inspect(ctx context.Context, id string) (c container, err error) {
	var list []container
	out, err := docker(ctx, "inspect", id)
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil {
		return c, err
	}
	return list[0], nil
}

// service is whether a workload runs all the time; what else there is cannot be looked at here.
func (p *project) service(w prod.Workload) bool { return w.Kind == prod.Service && w.Replicas > 0 }
