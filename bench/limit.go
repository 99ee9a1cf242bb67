package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// P12: from the moment in which a process has more memory than its limit until it gets a signal. devstack's process
// sits below a shell; PM2 measures the process that it has started alone, so there it is that one.
func memoryLimit() benchCase {
	return benchCase{
		id: "P12", title: "memory limit exceeded, below `sh -c` (PM2: directly), until the signal", unit: "ms", budgets: []budget{{"", 1200}},
		sides: func(e *environment) ([]side, error) {
			pm2, err1 := newLeaker(e, "p12-pm2")
			own, err2 := newLeaker(e, "p12-devstack")
			return []side{
				{
					name: "PM2", setUp: func(ctx context.Context) error { return pm2.pm2Start(ctx) },
					run: func(ctx context.Context) (float64, error) { return pm2.round(ctx) },
					end: pm2.ending(pm2.runPM2, "kill"),
				},
				{
					name: devstackSide, setUp: func(ctx context.Context) error { return own.ownUp(ctx) },
					run: func(ctx context.Context) (float64, error) { return own.round(ctx) },
					end: own.ending(own.runDevstack, "down"),
				},
			}, errors.Join(err1, err2)
		},
	}
}

type leaker struct {
	*workload
	gate string
	said *os.File
}

func newLeaker(e *environment, name string) (*leaker, error) {
	w, err := newWorkload(e, name, 0, false)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	gate, reports := filepath.Join(w.dir, "gate"), filepath.Join(w.dir, "reports")
	yaml := fmt.Sprintf("name: bench-%s\napps:\n  - {name: leak, command: \"'%s' leak '%s' '%s'; true\", max_memory_restart: 60M, restart_delay: 0, min_uptime: 0}\n", name, self, gate, reports)
	pm2 := fmt.Sprintf("module.exports = {apps: [{name: 'leak', script: '%s', interpreter: 'none', args: ['leak', '%s', '%s'], max_memory_restart: '60M'}]}\n", self, gate, reports)
	if err := errors.Join(
		syscall.Mkfifo(gate, 0o600), syscall.Mkfifo(reports, 0o600),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.yaml"), []byte(yaml), 0o644),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.config.js"), []byte(pm2), 0o644),
	); err != nil {
		return nil, err
	}
	said, err := os.OpenFile(reports, os.O_RDWR, 0)
	return &leaker{workload: w, gate: gate, said: said}, err
}

func (l *leaker) round(ctx context.Context) (float64, error) {
	open, err := openGate(ctx, l.gate)
	if err != nil {
		return 0, err
	}
	open()
	if err := l.hears("exceeded\n"); err != nil {
		return 0, err
	}
	return timed(func() error { return l.hears("signalled\n") })
}

func (l *leaker) hears(want string) error {
	if err := l.said.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	var got []byte
	for len(got) < len(want) {
		b := make([]byte, len(want)-len(got))
		n, err := l.said.Read(b)
		if err != nil {
			return err
		}
		got = append(got, b[:n]...)
	}
	if string(got) != want {
		return fmt.Errorf("the process says %q, want %q", got, want)
	}
	return nil
}
