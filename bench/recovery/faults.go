package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"devstack/daemon/api"
)

// fault is one way to do harm.
type fault struct {
	name     string
	title    string
	needs    func(*sample) bool // nil: everywhere
	lasts    bool               // the time is counted from the end of the harm
	restarts []string           // processes that may have another pid afterwards
	harm     func(context.Context, *sample, *api.State) error
	back     func(context.Context, *sample, *api.State) error // nil when it is over it
}

const agent, orchestrator = "agent-scaffold", "orchestrator"

var faults = []fault{
	{
		name: "agent-killed", title: "kill -9 of an agent, until its successor is ready", restarts: []string{agent},
		harm: signalProcess(agent, syscall.SIGKILL), back: replaced(agent),
	},
	{
		name: "orchestrator-killed", title: "kill -9 of the orchestrator, until its successor is ready", restarts: []string{orchestrator},
		harm: signalProcess(orchestrator, syscall.SIGKILL), back: replaced(orchestrator),
	},
	{
		name: "orchestrator-hangs", title: "the orchestrator hangs (SIGSTOP), until its successor is ready", restarts: []string{orchestrator},
		harm: signalProcess(orchestrator, syscall.SIGSTOP), back: replaced(orchestrator),
	},
	{
		name: "redis-killed", title: "kill -9 of redis-server, until Redis answers", restarts: []string{"all"},
		harm: killServer("redis"), back: answers("redis"),
	},
	{
		name: "postgres-killed", title: "kill -9 of postgres, until Postgres takes logins", restarts: []string{"all"},
		harm: killServer("postgres"), back: answers("postgres"),
	},
	{
		name: "redis-removed", title: "docker rm -f of Redis' container, until Redis answers", restarts: []string{"all"},
		needs: func(s *sample) bool { return s.docker },
		harm:  removeContainer("redis"), back: answers("redis"),
	},
	{
		name: "daemon-killed", title: "kill -9 of the daemon, until the next one answers",
		harm: signalDaemon(syscall.SIGKILL), back: otherDaemon,
	},
	{
		name: "daemon-hangs", title: "the daemon hangs (SIGSTOP), until the next one answers",
		harm: signalDaemon(syscall.SIGSTOP), back: otherDaemon,
	},
	{
		name: "keeper-killed", title: "kill -9 of keeper and daemon, until everything is ready again (dev: by devstack up)", restarts: []string{"all"},
		harm: killKeeper, back: allBack,
	},
	{
		name: "restarted", title: "systemctl restart, until everything is ready again", restarts: []string{"all"},
		needs: func(s *sample) bool { return s.unit != "" },
		harm:  restartUnit, back: allBack,
	},
	{
		name: "log-disk-full", title: "the disk of the logs is full; after there is room, until lines are written again",
		needs: func(s *sample) bool { return s.logDir != "" }, lasts: true,
		harm: fillLogDisk, back: logsAgain,
	},
}

func signalProcess(name string, sig syscall.Signal) func(context.Context, *sample, *api.State) error {
	return func(_ context.Context, _ *sample, before *api.State) error {
		return syscall.Kill(pids(before)[name], sig)
	}
}

// replaced: another process of that name is ready.
func replaced(name string) func(context.Context, *sample, *api.State) error {
	return func(ctx context.Context, s *sample, before *api.State) error {
		now, err := s.ready(ctx)
		if err != nil {
			return err
		}
		if pids(now)[name] == pids(before)[name] {
			return errors.New(name + " is still the old one")
		}
		return nil
	}
}

func killServer(service string) func(context.Context, *sample, *api.State) error {
	return func(ctx context.Context, s *sample, before *api.State) error {
		pid, err := s.serverPid(ctx, before, service)
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		return until(ctx, func() error { // else an answer of the dying one would count
			if s.speaks(before, service) == nil {
				return errors.New(service + " goes on")
			}
			return nil
		})
	}
}

func removeContainer(service string) func(context.Context, *sample, *api.State) error {
	return func(ctx context.Context, s *sample, before *api.State) error {
		id, err := s.container(ctx, before, service)
		if err != nil {
			return err
		}
		return exec.CommandContext(ctx, "docker", "rm", "-f", id).Run()
	}
}

func answers(service string) func(context.Context, *sample, *api.State) error {
	return func(_ context.Context, s *sample, before *api.State) error { return s.speaks(before, service) }
}

func signalDaemon(sig syscall.Signal) func(context.Context, *sample, *api.State) error {
	return func(_ context.Context, _ *sample, before *api.State) error {
		return syscall.Kill(before.Daemon.Pid, sig)
	}
}

func otherDaemon(ctx context.Context, s *sample, before *api.State) error {
	now, err := s.client.State(ctx)
	if err == nil && now.Daemon.Pid == before.Daemon.Pid {
		err = errors.New("the old daemon answers")
	}
	return err
}

func killKeeper(ctx context.Context, s *sample, before *api.State) error {
	keeper, err := parent(before.Daemon.Pid)
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Kill(keeper, syscall.SIGKILL), syscall.Kill(before.Daemon.Pid, syscall.SIGKILL)); err != nil {
		return err
	}
	if s.unit != "" {
		return nil
	}
	return s.run(ctx, "up")
}

func restartUnit(ctx context.Context, s *sample, _ *api.State) error {
	return exec.CommandContext(ctx, "systemctl", "restart", s.unit).Run()
}

// allBack: everything is ready, and by another daemon.
func allBack(ctx context.Context, s *sample, before *api.State) error {
	if err := otherDaemon(ctx, s, before); err != nil {
		return err
	}
	_, err := s.ready(ctx)
	return err
}

// fillLogDisk leaves no room for a while, in which a whole pipeline must complete, and then makes room again. The logs
// are emptied first, so that little of a page is left to them.
func fillLogDisk(ctx context.Context, s *sample, _ *api.State) error {
	if err := s.run(ctx, "flush"); err != nil {
		return err
	}
	filler := filepath.Join(s.logDir, "filler")
	defer os.Remove(filler)
	f, err := os.Create(filler)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		if _, err = f.Write(block); err != nil && len(block) > 1 {
			block, err = block[:len(block)/2], nil
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("cannot fill %s: %w", s.logDir, err)
	}
	for range 10 { // more than what is left of a page
		if s.last, err = s.submit(ctx); err != nil {
			return fmt.Errorf("no pipeline while the disk is full: %w", err)
		}
		if err := until(ctx, func() error { return s.completed(ctx, s.last) }); err != nil {
			return err
		}
	}
	if s.logsAgain() == nil {
		return errors.New("the disk was not full")
	}
	return nil
}

// logsAgain: what was said while the disk was full is there.
func logsAgain(_ context.Context, s *sample, _ *api.State) error { return s.logsAgain() }
