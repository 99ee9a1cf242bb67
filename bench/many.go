package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const many = 200

// announcer is a process that says that it runs, with its pid, and then does nothing.
const announcer = "#!/bin/sh\necho $$ > \"$ANNOUNCE\"\nexec sleep 1000000\n"

// crowd is one side's 200 processes, and the pipe on which they announce themselves.
type crowd struct {
	*workload
	pipe *os.File
	said *bufio.Reader // of pipe
	pids []int
}

func newCrowd(e *environment, name string) (*crowd, error) {
	w, err := newWorkload(e, name, many, true)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(w.dir, "announce")
	if err := errors.Join(syscall.Mkfifo(path, 0o600), os.WriteFile(filepath.Join(w.dir, "sleeper.sh"), []byte(announcer), 0o755)); err != nil {
		return nil, err
	}
	for _, file := range []string{"ecosystem.yaml", "ecosystem.config.js"} {
		file = filepath.Join(w.dir, file)
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		changed := strings.ReplaceAll(string(text), "env: {", fmt.Sprintf("env: {ANNOUNCE: '%s', ", path))
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			return nil, err
		}
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // never at its end, whoever writes
	return &crowd{workload: w, pipe: pipe, said: bufio.NewReader(pipe)}, err
}

// P11: `start` until 200 processes run, or `stop` until the command says that they are gone.
func startStop(what string, limit float64) benchCase {
	return benchCase{
		id: "P11", title: what + " 200 processes", unit: "ms", budgets: []budget{{"", limit}},
		sides: func(e *environment) ([]side, error) {
			pm2, err1 := newCrowd(e, "p11-"+what+"-pm2")
			own, err2 := newCrowd(e, "p11-"+what+"-devstack")
			if err := errors.Join(err1, err2); err != nil {
				return nil, err
			}
			made := func(c *crowd, first func(context.Context) error) func(context.Context) error {
				return func(ctx context.Context) error { return errors.Join(first(ctx), c.arrived()) }
			}
			both := func(c *crowd, run func(context.Context, ...string) (string, error), all ...string) func(context.Context) (float64, error) {
				return func(ctx context.Context) (float64, error) {
					stop, err1 := c.stopRound(ctx, run, all...)
					start, err2 := c.startRound(ctx, run, all...)
					return map[string]float64{"start": start, "stop": stop}[what], errors.Join(err1, err2)
				}
			}
			return []side{
				{
					name: "PM2", setUp: made(pm2, pm2.pm2Start), run: both(pm2, pm2.runPM2, "all"),
					end: pm2.ending(pm2.runPM2, "kill"),
				},
				{
					name: devstackSide, setUp: made(own, own.ownUp), run: both(own, own.runDevstack),
					end: own.ending(own.runDevstack, "down"),
				},
			}, nil
		},
	}
}

// arrived reads the pids of 200 processes that have begun to run.
func (c *crowd) arrived() error {
	c.pids = nil
	if err := c.pipe.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	for range many {
		var pid int
		if _, err := fmt.Fscanln(c.said, &pid); err != nil {
			return err
		}
		c.pids = append(c.pids, pid)
	}
	return nil
}

func (c *crowd) startRound(ctx context.Context, run func(context.Context, ...string) (string, error), all ...string) (float64, error) {
	done := make(chan error, 1)
	ms, err := timed(func() error {
		go func() {
			_, err := run(ctx, append([]string{"start"}, all...)...)
			done <- err
		}()
		return c.arrived()
	})
	return ms, errors.Join(err, <-done, c.alive(true))
}

func (c *crowd) stopRound(ctx context.Context, run func(context.Context, ...string) (string, error), all ...string) (float64, error) {
	ms, err := timed(func() error {
		_, err := run(ctx, append([]string{"stop"}, all...)...)
		return err
	})
	return ms, errors.Join(err, c.alive(false))
}

// alive says whether all, or none, of the processes run.
func (c *crowd) alive(want bool) error {
	for _, pid := range c.pids {
		if got := syscall.Kill(pid, 0) == nil; got != want {
			return fmt.Errorf("process %d runs: %v", pid, got)
		}
	}
	return nil
}
