package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// P1: a cold supervisor starts six Node servers; the clock stops when all six have answered.
func coldStart() benchCase {
	return benchCase{
		id: "P1", title: "six Node servers from a cold supervisor, all answer", unit: "ms",
		budgets: []budget{{"shell &", 1.5}, {"PM2", 0.5}},
		sides: func(e *environment) ([]side, error) {
			shell, err1 := newWorkload(e, "p1-shell", 6, false)
			pm2, err2 := newWorkload(e, "p1-pm2", 6, false)
			own, err3 := newWorkload(e, "p1-devstack", 6, false)
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, err
			}
			return []side{
				{name: "shell &", run: shell.shellRound},
				{name: "PM2", run: pm2.pm2Round, end: pm2.ending(pm2.runPM2, "kill")},
				{name: devstackSide, run: own.devstackRound, end: own.ending(own.runDevstack, "down")},
			}, nil
		},
	}
}

func (w *workload) shellRound(ctx context.Context) (float64, error) {
	cmd := exec.CommandContext(ctx, "sh", "start.sh")
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ms, err := timed(func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		return w.answered(ctx)
	})
	if cmd.Process != nil {
		endGroup(cmd)
	}
	return ms, err
}

// endGroup ends a shell and what it has started.
func endGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait() // killed: an error of no interest
}

// background starts argv and measures until every server has answered, then waits for the command itself.
func (w *workload) background(ctx context.Context, start func(context.Context) error) (float64, error) {
	done := make(chan error, 1)
	ms, err := timed(func() error {
		go func() { done <- start(ctx) }()
		return w.answered(ctx)
	})
	return ms, errors.Join(err, <-done)
}

func (w *workload) pm2Round(ctx context.Context) (float64, error) {
	ms, err := w.background(ctx, w.pm2Start)
	_, killed := w.runPM2(ctx, "kill")
	return ms, errors.Join(err, killed)
}

func (w *workload) devstackRound(ctx context.Context) (float64, error) {
	ms, err := w.background(ctx, w.ownUp)
	_, down := w.runDevstack(ctx, "down")
	return ms, errors.Join(err, down)
}

// running returns a devstack and a PM2 workload of n processes, set up once and ended after the rounds.
func running(e *environment, name string, n int) (own, pm2 *workload, sides [2]side, err error) {
	own, err1 := newWorkload(e, name+"-devstack", n, n > 6)
	pm2, err2 := newWorkload(e, name+"-pm2", n, n > 6)
	sides[0] = side{
		name:  "PM2",
		setUp: pm2.pm2Start,
		end:   pm2.ending(pm2.runPM2, "kill"),
	}
	sides[1] = side{
		name:  devstackSide,
		setUp: own.ownUp,
		end:   own.ending(own.runDevstack, "down"),
	}
	return own, pm2, sides, errors.Join(err1, err2)
}

// P4: the list as JSON.
func list(n int, limit float64) benchCase {
	return benchCase{
		id: "P4", title: fmt.Sprintf("list as JSON, %d processes", n), unit: "ms", budgets: []budget{{"", limit}},
		sides: func(e *environment) ([]side, error) {
			own, pm2, s, err := running(e, fmt.Sprintf("p4-%d", n), n)
			s[0].run = func(ctx context.Context) (float64, error) { return pm2.listRound(ctx, n, pm2.runPM2, "jlist") }
			s[1].run = func(ctx context.Context) (float64, error) {
				return own.listRound(ctx, n, own.runDevstack, "ps", "--json")
			}
			return s[:], err
		},
	}
}

func (w *workload) listRound(ctx context.Context, n int, run func(context.Context, ...string) (string, error), args ...string) (float64, error) {
	var out string
	ms, err := timed(func() (err error) { out, err = run(ctx, args...); return })
	if err != nil {
		return 0, err
	}
	if got := strings.Count(out, `"pid":`); got < n {
		return 0, fmt.Errorf("lists %d processes, want %d", got, n)
	}
	return ms, nil
}

// P5: resident memory of the supervisor itself.
func memory(n int, limit float64) benchCase {
	return benchCase{
		id: "P5", title: fmt.Sprintf("supervisor memory (RSS), %d processes", n), unit: "MB", budgets: []budget{{"", limit}},
		sides: func(e *environment) ([]side, error) {
			own, pm2, s, err := running(e, fmt.Sprintf("p5-%d", n), n)
			s[0].run = func(ctx context.Context) (float64, error) { return pm2.rss(pm2.pm2Pids(ctx)) }
			s[1].run = func(ctx context.Context) (float64, error) { return own.rss(own.devstackPids(ctx)) }
			return s[:], err
		},
	}
}

// P6: CPU of the supervisor while nothing happens, as percent of one core over idleSpan.
func idle() benchCase {
	const idleSpan = 10 * time.Second
	return benchCase{
		id: "P6", title: "idle CPU of the supervisor, 6 processes with memory limits", unit: "%", budgets: []budget{{"", 0.15}},
		sides: func(e *environment) ([]side, error) {
			own, pm2, s, err := running(e, "p6", 6)
			s[0].run = func(ctx context.Context) (float64, error) { return pm2.idleRound(ctx, idleSpan, pm2.pm2Pids) }
			s[1].run = func(ctx context.Context) (float64, error) { return own.idleRound(ctx, idleSpan, own.devstackPids) }
			return s[:], err
		},
	}
}

// identities are the pids and container ids of everything that runs.
func (w *workload) identities(ctx context.Context) (string, error) {
	out, err := w.runDevstack(ctx, "ps", "--json")
	if err != nil {
		return "", err
	}
	var state struct {
		Services  []struct{ ID string }
		Processes []struct{ Pid int }
	}
	err = json.Unmarshal([]byte(out), &state)
	return fmt.Sprint(state), err
}

// once makes a round of one command.
func once(do func(context.Context) error) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) { return timed(func() error { return do(ctx) }) }
}

func (w *workload) ownUp(ctx context.Context) error {
	_, err := w.runDevstack(ctx, "up")
	return err
}

func (w *workload) pm2Start(ctx context.Context) error {
	_, err := w.runPM2(ctx, "start", "ecosystem.config.js")
	return err
}

func (w *workload) pm2Pids(context.Context) ([]int, error) {
	b, err := os.ReadFile(w.dir + "/.pm2/pm2.pid")
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return []int{pid}, err
}

// devstackPids are the daemon and its parent, the keeper.
func (w *workload) devstackPids(ctx context.Context) ([]int, error) {
	out, err := w.runDevstack(ctx, "ps", "--json")
	if err != nil {
		return nil, err
	}
	var state struct{ Daemon struct{ Pid int } }
	if err := json.Unmarshal([]byte(out), &state); err != nil {
		return nil, err
	}
	fields, err := statFields(state.Daemon.Pid)
	if err != nil {
		return nil, err
	}
	keeper, err := strconv.Atoi(fields[1])
	return []int{state.Daemon.Pid, keeper}, err
}

func (w *workload) rss(pids []int, err error) (float64, error) {
	if err != nil {
		return 0, err
	}
	var pages int
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(strings.Fields(string(b))[1])
		if err != nil {
			return 0, err
		}
		pages += n
	}
	return float64(pages*os.Getpagesize()) / 1e6, nil
}

func (w *workload) idleRound(ctx context.Context, span time.Duration, find func(context.Context) ([]int, error)) (float64, error) {
	pids, err := find(ctx)
	if err != nil {
		return 0, err
	}
	before, err := cpuNanos(pids)
	if err != nil {
		return 0, err
	}
	select { // the measured span itself
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(span):
	}
	after, err := cpuNanos(pids)
	return 100 * float64(after-before) / float64(span), err
}

// cpuNanos sums what the scheduler has given to every thread of pids; /proc/PID/stat counts in ticks of 10 ms, too
// coarse for what is measured here.
func cpuNanos(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return 0, err
		}
		for _, t := range tasks {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
			if err != nil {
				return 0, err
			}
			n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// statFields are the fields of /proc/PID/stat after the command's name: state, parent, ...
func statFields(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])), nil
}
