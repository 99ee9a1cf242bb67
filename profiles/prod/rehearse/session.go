package rehearse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"devstack/infra"
	"devstack/profiles/prod"
	"devstack/profiles/prod/export"
	"devstack/stack"
)

// Request is what is to be rehearsed.
type Request struct {
	Targets  []string // compose, ecs, kubernetes
	Export   export.Options
	Base     string            // image to build on, as both base images of the Dockerfile; empty: the ones it names
	Secrets  map[string]string // values of secrets that have to be real; others are made up
	Trial    string            // as in Options, as are Context and Registry
	Context  string
	Registry string
	Keep     bool // leave everything, and say how to remove it
	Progress io.Writer
}

// session is what the targets of one run share.
type session struct {
	o        Request
	run      string // name of everything that this run makes
	dir      string // of its files, gone at the end
	export   *export.Export
	canaries *canaries
	compose  []string          // how docker compose is called
	images   map[string]string // app -> reference
	built    []string
	managed  map[string]managed // by the backing service's name
	values   map[string]string  // of secrets
}

// Rehearse rehearses targets one after the other and ends everything that it started, also when ctx ends. An error means
// that there was nothing to rehearse with: *infra.Error without an engine, stack.Errors of the export.
func Rehearse(ctx context.Context, o Request) (report Report, err error) {
	s := &session{o: o, run: "devstack-rehearse-" + strings.ToLower(rand.Text()[:8]), canaries: newCanaries(), images: map[string]string{}}
	if _, err := docker(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return report, &infra.Error{Kind: infra.NoEngine, Message: "no Docker Engine answers: " + err.Error(), Hint: "start one, or choose it with DOCKER_HOST or docker context use"}
	}
	if s.compose, err = composeCommand(ctx); err != nil {
		return report, &infra.Error{Kind: infra.NoEngine, Message: err.Error(), Hint: "install Docker's compose plugin, or put docker-compose on the PATH"}
	}
	if s.export, err = export.Render(ctx, o.Targets[0], s.options(o.Targets[0])); err != nil {
		return report, err
	}
	if s.dir, err = os.MkdirTemp("", "devstack-rehearse-"); err != nil {
		return report, err
	}
	defer func() {
		if o.Keep {
			s.step("everything is left; to end it: docker rm -fv $(docker ps -aqf name=%[1]s); docker network rm $(docker network ls -qf name=%[1]s)", s.run)
			return
		}
		err = errors.Join(err, s.end(ctx))
	}()
	if err := s.prepare(ctx); err != nil {
		return report, err
	}
	report.Checks = append(report.Checks, s.checkImages(ctx))
	for _, target := range o.Targets {
		checks, err := s.rehearse(ctx, target)
		report.Checks = append(report.Checks, checks...)
		if err != nil {
			return report, fmt.Errorf("cannot rehearse %s: %w", target, err)
		}
	}
	return report, ctx.Err()
}

func (s *session) prepare(ctx context.Context) error {
	s.step("everything of this run is called %s", s.run)
	if err := s.buildImages(ctx); err != nil {
		return err
	}
	if err := s.startBacking(ctx); err != nil {
		return err
	}
	s.values = s.secretValues()
	for s.canaries.number < canaryCount { // nothing asks for these; they are only in the environment of what is started
		value := s.canaries.next()
		s.values[fmt.Sprintf("DEVSTACK_CANARY_%d", s.canaries.number)] = value
	}
	return nil
}

// rehearse renders a target, writes its files and proves them.
func (s *session) rehearse(ctx context.Context, target string) ([]Check, error) {
	e, err := export.Render(ctx, target, s.options(target))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, target)
	if err := writeFiles(dir, e.Files); err != nil {
		return nil, err
	}
	o := Options{Export: e, Dir: dir, Images: s.images, Secrets: s.values, Trial: s.o.Trial, Context: s.o.Context, Registry: s.o.Registry, Progress: s.o.Progress}
	checks := []Check{s.checkFiles(target, e.Files)}
	switch target {
	case "compose":
		more, err := s.rehearseCompose(ctx, o)
		return append(checks, more...), err
	case "ecs":
		more, err := s.rehearseECS(ctx, o)
		return append(checks, more...), err
	case kubeTarget:
		if o.Secrets, err = s.reachable(ctx); err != nil {
			return checks, err
		}
		more, err := rehearseKubernetes(ctx, o)
		return append(checks, more...), err
	}
	return nil, &stack.UnknownError{Kind: "target", Name: target}
}

func (s *session) options(target string) export.Options {
	o := s.o.Export
	o.Dir = filepath.Join(filepath.Dir(o.Load.File), "deploy", target)
	return o
}

func writeFiles(dir string, files []prod.File) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// checkFiles looks for canaries in what was exported.
func (s *session) checkFiles(target string, files []prod.File) Check {
	check := Check{Target: target, Subject: "stack", Claim: "no secrets", Verdict: Passed}
	size := 0
	for _, f := range files {
		size += len(f.Data)
		if s.canaries.in(string(f.Data)) > 0 {
			check.Verdict = Failed
			check.Detail += f.Path + " has one; "
		}
	}
	if check.Verdict == Passed {
		check.Detail = fmt.Sprintf("%d files, %d bytes: none of %d", len(files), size, s.canaries.number)
	}
	return check
}

// end removes everything of this run, however it went. Images go, the layers that the builder keeps for the next build stay.
func (s *session) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	s.step("cleaning up")
	err := s.sweep(ctx, s.label())
	for _, image := range s.built {
		_, failed := docker(ctx, "rmi", "--no-prune", "-f", image)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// sweep removes containers, networks and volumes with a label.
func (s *session) sweep(ctx context.Context, label string) error {
	var all error
	for _, kind := range []struct {
		list, remove []string
	}{
		{[]string{"ps", "-aq"}, []string{"rm", "-fv"}},
		{[]string{"network", "ls", "-q"}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "-q"}, []string{"volume", "rm", "-f"}},
	} {
		ids, err := docker(ctx, append(kind.list, "--filter", "label="+label)...)
		if err == nil && ids != "" {
			_, err = docker(ctx, append(kind.remove, strings.Fields(ids)...)...)
		}
		all = errors.Join(all, err)
	}
	return all
}

func (s *session) label() string { return "devstack.rehearse=" + s.run }

func (s *session) step(format string, args ...any) {
	if s.o.Progress != nil {
		fmt.Fprintf(s.o.Progress, format+"\n", args...)
	}
}
