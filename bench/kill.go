package main

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// P9: the process of an HTTP app is killed under load. How many connections are refused until it is back?
func refused() benchCase {
	return benchCase{
		id: "P9", title: "kill -9 of an Express app under load, connections refused per kill", unit: "refused", counts: true,
		budgets: []budget{{"", 0}},
		sides: func(e *environment) ([]side, error) {
			return e.webSides("p9-refused", 1, func(w *web, _ bool) func(context.Context) (float64, error) {
				return func(ctx context.Context) (float64, error) {
					r, _, err := w.killUnder(ctx)
					return float64(r.Refused), err
				}
			})
		},
	}
}

// P9: and how long is it until somebody is answered by the new process? Beside it the same with the restart_delay of 4 s
// that the operations guide gives as an example.
func backAgain() benchCase {
	return benchCase{
		id: "P9", title: "kill -9 of an Express app under load, until its successor answers", unit: "ms", budgets: []budget{{"node alone", 1.5}},
		sides: func(e *environment) ([]side, error) {
			sides, err1 := e.webSides("p9-back", 1, func(w *web, _ bool) func(context.Context) (float64, error) { return w.backRound })
			alone, err2 := newWeb(e, "p9-alone", 1, 0)
			delayed, err3 := newWeb(e, "p9-delayed", 1, 4*time.Second)
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, err
			}
			return append([]side{
				{name: "node alone", run: alone.bootRound},
				{
					name: "devstack, restart_delay 4s", setUp: delayed.ownUp, run: delayed.backRound,
					end: delayed.ending(delayed.runDevstack, "down"), note: delayed.note,
				},
			}, sides...), nil
		},
	}
}

func (w *web) backRound(ctx context.Context) (float64, error) {
	_, ms, err := w.killUnder(ctx)
	return ms, err
}

// bootRound is the app without any supervisor and without load: from its start until it answers.
func (w *web) bootRound(ctx context.Context) (float64, error) {
	cmd := exec.CommandContext(ctx, "sh", "start.sh")
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ms, err := timed(func() error {
		if err := cmd.Start(); err != nil {
			return err
		}
		return w.answers(ctx)
	})
	if cmd.Process != nil {
		endGroup(cmd)
	}
	return ms, err
}
