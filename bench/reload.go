package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"devstack/bench/load"
)

// In one round devstack reloads 20 times, 100 times in 5 rounds; PM2, some of whose reloads take 10 s for each instance,
// once.
const ownReloads, pm2Reloads = 20, 1

// P10: reloads under load. What fails, is refused, reset or answered wrongly?
func reloads(title string, instances int) benchCase {
	return benchCase{
		id: "P10", title: "reload of an Express app under load, " + title + ", failed requests per 100 reloads", unit: "failed", counts: true,
		budgets: []budget{{"", 0}},
		sides: func(e *environment) ([]side, error) {
			return e.webSides(fmt.Sprintf("p10-reload-%d", instances), instances, func(w *web, pm2 bool) func(context.Context) (float64, error) {
				run, n := w.runDevstack, ownReloads
				if pm2 {
					run, n = w.runPM2, pm2Reloads
				}
				return func(ctx context.Context) (float64, error) {
					r, err := w.under(ctx, load.Options{Clients: clients, Pause: pause}, func(ctx context.Context, _ *load.Load) error {
						for range n {
							if _, err := run(ctx, "reload", "web"); err != nil {
								return err
							}
						}
						return nil
					})
					return float64(r.Failed()) * 100 / float64(n), err
				}
			})
		},
	}
}

// P10: how much of the work does the busiest of four instances have? A quarter is as even as can be.
func fairness(title string, clients int, pause time.Duration) benchCase {
	return benchCase{
		id: "P10", title: "4 instances, share of the one with the most answers, " + title, unit: "%",
		sides: func(e *environment) ([]side, error) {
			return e.webSides(fmt.Sprintf("p10-fair-%d", clients), 4, func(w *web, _ bool) func(context.Context) (float64, error) {
				return func(ctx context.Context) (float64, error) {
					r, err := w.under(ctx, load.Options{Clients: clients, Pause: pause}, func(ctx context.Context, l *load.Load) error {
						return l.Answered(ctx, 2000)
					})
					if err != nil {
						return 0, err
					}
					var parts []string
					for _, percent := range r.Shares() {
						parts = append(parts, fmt.Sprintf("%.0f", percent))
					}
					w.shares = append(w.shares, strings.Join(parts, "/"))
					return r.Shares()[0], nil
				}
			})
		},
	}
}

// P10: one of four instances does nothing but compute for 2 s. How many requests have to wait? A client that waits asks
// nothing else meanwhile, so the clients are many.
func busyInstance() benchCase {
	return benchCase{
		id: "P10", title: "4 instances, one computes for 2 s: requests that take longer than 100 ms", unit: "slow", counts: true,
		sides: func(e *environment) ([]side, error) {
			return e.webSides("p10-busy", 4, func(w *web, _ bool) func(context.Context) (float64, error) {
				return func(ctx context.Context) (float64, error) {
					r, err := w.under(ctx, load.Options{Clients: 4 * clients, Pause: 4 * pause}, func(ctx context.Context, _ *load.Load) error {
						return w.get(ctx, "/busy/2000")
					})
					return float64(r.Slower(100 * time.Millisecond)), err
				}
			})
		},
	}
}
