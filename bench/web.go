package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"devstack/bench/load"
)

// The usual load: many clients, and enough time between their requests for the servers not to be what is measured.
const (
	clients = 8
	pause   = 10 * time.Millisecond
)

// web is an Express app, written down for devstack and for PM2: restarted at once and without a limit, or after delay.
type web struct {
	*workload
	address string
	total   load.Report // of all rounds
	shares  []string    // of the instances, in each round, where that is what is measured
}

func newWeb(e *environment, name string, instances int, delay time.Duration) (*web, error) {
	w, err := newWorkload(e, name, 0, false)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	mode := "fork"
	if instances > 1 {
		mode = "cluster"
	}
	yaml := fmt.Sprintf("name: bench-%s\napps:\n  - {name: web, script: app.js, port: %d, instances: %d, max_restarts: -1, restart_delay: %d, env: {PORT: \"%[2]d\"}}\n",
		name, port, instances, delay.Milliseconds())
	pm2 := fmt.Sprintf("module.exports = {apps: [{name: 'web', script: 'app.js', exec_mode: '%s', instances: %d, max_restarts: 1000000, restart_delay: %d, env: {PORT: %d}}]}\n",
		mode, instances, delay.Milliseconds(), port)
	return &web{workload: w, address: fmt.Sprintf("127.0.0.1:%d", port)}, errors.Join(
		os.Symlink(e.express, filepath.Join(w.dir, "node_modules")),
		os.WriteFile(filepath.Join(w.dir, "app.js"), []byte(load.Express), 0o644),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.yaml"), []byte(yaml), 0o644),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.config.js"), []byte(pm2), 0o644),
		os.WriteFile(filepath.Join(w.dir, "start.sh"), fmt.Appendf(nil, "PORT=%d exec node app.js\n", port), 0o755),
	)
}

// sides are PM2 and devstack, running the same app.
func (e *environment) webSides(name string, instances int, run func(w *web, pm2 bool) func(context.Context) (float64, error)) ([]side, error) {
	pm2, err1 := newWeb(e, name+"-pm2", instances, 0)
	own, err2 := newWeb(e, name+"-devstack", instances, 0)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return []side{
		{name: "PM2", setUp: pm2.pm2Up, run: run(pm2, true), end: pm2.ending(pm2.runPM2, "kill"), note: pm2.note},
		{name: devstackSide, setUp: own.ownUp, run: run(own, false), end: own.ending(own.runDevstack, "down"), note: own.note},
	}, nil
}

// pm2Up returns when the app answers; pm2 start does not wait for that.
func (w *web) pm2Up(ctx context.Context) error {
	return errors.Join(w.pm2Start(ctx), w.answers(ctx))
}

// answers waits until anybody answers.
func (w *web) answers(ctx context.Context) error {
	return retry(ctx, func(ctx context.Context) error { return w.get(ctx, "/") })
}

// get asks once, on a connection of its own.
func (w *web) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return nil
}

// under does something while clients ask, and returns what became of their requests. They are there before it begins
// and after it has ended.
func (w *web) under(ctx context.Context, o load.Options, do func(context.Context, *load.Load) error) (load.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 9*time.Minute)
	defer cancel()
	o.Address = w.address
	l, err := load.Start(o)
	if err != nil {
		return load.Report{}, err
	}
	defer l.Stop()
	if err := l.Answered(ctx, 100); err != nil {
		return load.Report{}, err
	}
	if err := do(ctx, l); err != nil {
		return load.Report{}, err
	}
	err = l.Answered(ctx, 100)
	r := l.Stop()
	w.total.Add(r)
	return r, err
}

// note is what became of all requests of all rounds.
func (w *web) note() string {
	if len(w.shares) == 0 {
		return w.total.String()
	}
	return "shares in percent, round by round: " + strings.Join(w.shares, ", ") + "; " + w.total.String()
}

// killUnder kills the one process of the app under load and returns when another one first answered, after how long.
func (w *web) killUnder(ctx context.Context) (r load.Report, ms float64, err error) {
	r, err = w.under(ctx, load.Options{Clients: clients, Pause: pause}, func(ctx context.Context, l *load.Load) error {
		var pid int
		for server := range l.Report().Servers {
			if pid, err = strconv.Atoi(server); err != nil {
				return err
			}
		}
		killed := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		return l.Until(ctx, func(r *load.Report) bool {
			for server, first := range r.First {
				if server != strconv.Itoa(pid) {
					ms = float64(first.Sub(killed).Microseconds()) / 1000
					return true
				}
			}
			return false
		})
	})
	return r, ms, err
}
