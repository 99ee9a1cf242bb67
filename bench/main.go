// Command bench measures devstack side by side with what it replaces and with the floor: the same work, in one run,
// the sides alternating, reported as medians and ratios. Every round checks that the work was really done; a round that
// was not fails the run. It promises no absolute figures: machines differ, ratios travel.
//
//	go run ./bench [-only P1,P4] [-rounds 5] [-out docs/performance.md]
//
// It needs bin/devstack, bin/devstackd (make build), a Docker Engine with the sample's images, docker compose, PM2
// and Express in .cache (scripts/compose, scripts/pm2, scripts/express). `make bench` provides all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if child(os.Args[1:]) {
		return
	}
	only := flag.String("only", "", "comma-separated cases, such as P1,P4; default all")
	rounds := flag.Int("rounds", 7, "rounds of each case")
	out := flag.String("out", "", "write the table as Markdown to this file, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, rounds int, out string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "devstack-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	env := &environment{
		devstack: filepath.Join(root, "bin", "devstack"),
		compose:  filepath.Join(root, ".cache", "bin", "docker-compose"),
		pm2:      filepath.Join(root, ".cache", "pm2", "node_modules", ".bin", "pm2"),
		express:  filepath.Join(root, ".cache", "express", "node_modules"),
		tmp:      tmp,
	}
	if err := env.check(); err != nil {
		return err
	}
	var reports []report
	for _, c := range cases() {
		if only != "" && !strings.Contains(","+only+",", ","+c.id+",") {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s %s\n", c.id, c.title)
		r, err := measure(ctx, env, c, rounds)
		if err != nil {
			return fmt.Errorf("cannot measure %s: %w", c.id, err)
		}
		fmt.Fprintln(os.Stderr, "   "+r.line())
		reports = append(reports, r...)
	}
	text := markdown(reports, rounds)
	fmt.Print(text)
	if out != "" {
		return os.WriteFile(out, []byte(text), 0o644)
	}
	return nil
}
