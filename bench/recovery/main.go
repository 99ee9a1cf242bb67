// Command recovery does harm to a running sample stack, again and again, and measures how long it takes to come back:
// from the harm until everything is ready and a pipeline that was under way has completed where the figure says so. It
// ends with an error when something does not come back, when a pipeline is lost, or when a process was restarted that
// had nothing to do with it.
//
//	go run ./bench/recovery -C DIR -place "dev, native" [-rounds 3] [-log-disk] >> figures.json
//	go run ./bench/recovery -table < figures.json
//
// It must run as the stack's user or as root, on the stack's machine. With -log-disk the log directory is a small file
// system of its own, which is filled, too.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"devstack/daemon/api"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "recovery:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	table := flag.Bool("table", false, "make a Markdown table of the figures on standard input")
	flag.StringVar(&o.dir, "C", ".", "the `DIR` of ecosystem.yaml")
	flag.StringVar(&o.place, "place", "", "what the column is called")
	flag.StringVar(&o.devstack, "devstack", "bin/devstack", "the executable")
	flag.StringVar(&o.logDir, "log-disk", "", "the log `DIR`, when it is a small file system of its own")
	flag.StringVar(&o.unit, "unit", "", "the systemd `UNIT` that runs the stack; empty: nothing but devstack does")
	flag.StringVar(&o.only, "only", "", "comma-separated faults")
	rounds := flag.Int("rounds", 3, "how often each fault is done")
	flag.Parse()
	if *table {
		return printTable(os.Stdin, os.Stdout)
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	for _, f := range faults {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), f.name) || f.needs != nil && !f.needs(s) {
			continue
		}
		figure := figure{Place: o.place, Fault: f.name}
		for range *rounds {
			took, err := s.round(ctx, f)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			figure.MS = append(figure.MS, took.Milliseconds())
		}
		fmt.Fprintf(os.Stderr, "%s: %s: %d ms\n", o.place, f.name, figure.MS)
		if err := json.NewEncoder(os.Stdout).Encode(figure); err != nil {
			return err
		}
	}
	return nil
}

// figure is one line of the output: how long one place took to get over one fault, each time.
type figure struct {
	Place string  `json:"place"`
	Fault string  `json:"fault"`
	MS    []int64 `json:"ms"`
}

// round does one fault and waits until the stack is over it.
func (s *sample) round(ctx context.Context, f fault) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	before, err := s.ready(ctx)
	if err != nil {
		return 0, fmt.Errorf("not ready before: %w", err)
	}
	pipeline, err := s.submit(ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot submit a pipeline: %w", err)
	}
	began := time.Now()
	if err := f.harm(ctx, s, before); err != nil {
		return 0, err
	}
	if f.lasts {
		began = time.Now()
	}
	if err := until(ctx, func() error { return f.back(ctx, s, before) }); err != nil {
		return 0, fmt.Errorf("not back: %w", err)
	}
	took := time.Since(began)
	var after *api.State
	err = until(ctx, func() (err error) {
		after, err = s.ready(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("not ready afterwards: %w", err)
	}
	if err := until(ctx, func() error { return s.completed(ctx, pipeline) }); err != nil {
		return 0, fmt.Errorf("the pipeline under way is lost: %w", err)
	}
	for name, pid := range pids(before) {
		if pid != pids(after)[name] && !slices.Contains(f.restarts, name) && !slices.Contains(f.restarts, "all") {
			return 0, fmt.Errorf("%s has another pid now, for no reason", name)
		}
	}
	return took, nil
}

// until asks every 5 ms, and returns the last answer when ctx ends.
func until(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// printTable has one row per fault and one column per place, in the order in which they come.
func printTable(r io.Reader, w io.Writer) error {
	var places []string
	cells := map[[2]string]string{}
	for d := json.NewDecoder(r); ; {
		var f figure
		if err := d.Decode(&f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if !slices.Contains(places, f.Place) {
			places = append(places, f.Place)
		}
		cells[[2]string{f.Place, f.Fault}] = seconds(median(f.MS))
	}
	fmt.Fprintf(w, "| | %s |\n|---%s|\n", strings.Join(places, " | "), strings.Repeat("|---", len(places)))
	for _, f := range faults {
		row := []string{f.title}
		for _, p := range places {
			cell := cells[[2]string{p, f.name}]
			if cell == "" {
				cell = "–"
			}
			row = append(row, cell)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	return nil
}

func median(v []int64) int64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func seconds(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}
