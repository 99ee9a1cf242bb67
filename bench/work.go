package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// server is the process that every supervisor starts: it answers with its own name, so that an answer proves who gave it.
const server = `const http = require('http')
http.createServer((q, r) => r.end(process.env.SERVER_NAME)).listen(Number(process.env.SERVER_PORT), '127.0.0.1')
`

// sleeper is a process that does nothing, for the cases with 200 of them.
const sleeper = "#!/bin/sh\nexec sleep 1000000\n"

// workload is a directory with one server script and the same apps written down for devstack and for PM2.
type workload struct {
	dir   string
	ports []int
	env   *environment
}

// newWorkload writes n Node servers (or sleepers) on free ports below e.tmp.
func newWorkload(e *environment, name string, n int, idle bool) (*workload, error) {
	w := &workload{dir: filepath.Join(e.tmp, name), env: e}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(w.dir, "server.js"), []byte(server), 0o644),
		os.WriteFile(filepath.Join(w.dir, "sleeper.sh"), []byte(sleeper), 0o755),
	); err != nil {
		return nil, err
	}
	var yaml, pm2, shell strings.Builder
	yaml.WriteString("name: bench-" + name + "\napps:\n")
	pm2.WriteString("module.exports = {apps: [\n")
	for i := range n {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		script := "server.js"
		if idle {
			script = "sleeper.sh"
		} else {
			w.ports = append(w.ports, port)
		}
		fmt.Fprintf(&yaml, "  - {name: app%d, script: %s, max_memory_restart: 512M, env: {SERVER_PORT: \"%d\", SERVER_NAME: app%d}}\n", i, script, port, i)
		fmt.Fprintf(&pm2, "  {name: 'app%d', script: '%s', max_memory_restart: '512M', env: {SERVER_PORT: %d, SERVER_NAME: 'app%d'}},\n", i, script, port, i)
		fmt.Fprintf(&shell, "SERVER_PORT=%d SERVER_NAME=app%d node server.js & echo $!\n", port, i)
	}
	pm2.WriteString("]}\n")
	return w, errors.Join(
		os.WriteFile(filepath.Join(w.dir, "ecosystem.yaml"), []byte(yaml.String()), 0o644),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.config.js"), []byte(pm2.String()), 0o644),
		os.WriteFile(filepath.Join(w.dir, "start.sh"), []byte(shell.String()), 0o755),
	)
}

// answered returns when every server has answered with its own name.
func (w *workload) answered(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	errs := make(chan error, len(w.ports))
	for i, port := range w.ports {
		go func() { errs <- answers(ctx, port, fmt.Sprintf("app%d", i)) }()
	}
	var all error
	for range w.ports {
		all = errors.Join(all, <-errs)
	}
	return all
}

func answers(ctx context.Context, port int, name string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			var body bytes.Buffer
			_, err = body.ReadFrom(resp.Body)
			resp.Body.Close()
			if err == nil && body.String() != name {
				return fmt.Errorf("port %d is answered by %q, want %q", port, body.String(), name)
			}
			if err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s on port %d never answered", name, port)
		case <-tick.C:
		}
	}
}

// command runs argv in dir and returns its standard output; extra is added to the environment.
func command(ctx context.Context, dir string, extra []string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), extra...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cannot run %s: %w\n%s%s", strings.Join(argv, " "), err, out.String(), errOut.String())
	}
	return out.String(), nil
}

func (w *workload) devstackEnv() []string {
	return []string{"DEVSTACK_HOME=" + filepath.Join(w.env.tmp, "home")}
}

func (w *workload) runDevstack(ctx context.Context, args ...string) (string, error) {
	return command(ctx, w.dir, w.devstackEnv(), append([]string{w.env.devstack}, args...)...)
}

func (w *workload) runPM2(ctx context.Context, args ...string) (string, error) {
	env := []string{"PM2_HOME=" + filepath.Join(w.dir, ".pm2"), "PM2_DISABLE_VERSION_CHECK=true"}
	return command(ctx, w.dir, env, append([]string{w.env.pm2}, args...)...)
}

// ending runs the command that ends a side; that it cannot is said and changes no figure.
func (w *workload) ending(run func(context.Context, ...string) (string, error), args ...string) func() {
	return func() {
		if _, err := run(context.Background(), args...); err != nil {
			fmt.Fprintln(os.Stderr, "  ", err)
		}
	}
}

// freePort returns a port below the range from which the kernel takes ports for outgoing connections: no client takes
// it while nobody listens on it.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 10000 + rand.IntN(20000)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("cannot find a free port: %w", err)
}

// timed returns the milliseconds that f took.
func timed(f func() error) (float64, error) {
	start := time.Now()
	err := f()
	return float64(time.Since(start).Microseconds()) / 1000, err
}
