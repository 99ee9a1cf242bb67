package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// benchCase is one row of DESIGN's budgets: the same work done by several sides.
type benchCase struct {
	id    string
	title string
	unit  string // ms, MB, %
	// counts says that the figures count what should not happen: the first round counts, too, and the figure of a side
	// is the mean of all rounds, which no single bad one can hide in.
	counts bool
	// budgets, each against one side's median; all must hold. A budget against the empty name is absolute.
	budgets []budget
	sides   func(*environment) ([]side, error)
}

// budget is "devstack's median is at most factor × that of side", or at most factor units when side is empty.
type budget struct {
	side   string
	factor float64
}

// side is one way to do the work. Run returns the figure in the case's unit and an error if the work was not done.
type side struct {
	name  string
	setUp func(context.Context) error // once, before the rounds; may be nil
	run   func(context.Context) (float64, error)
	end   func()        // once, after the rounds, also on failure; may be nil
	note  func() string // what else was seen, asked for after the rounds; may be nil
}

const devstackSide = "devstack"

type report struct {
	c       benchCase
	medians map[string]float64
	order   []string
	notes   []string
}

type reports []report

// measure alternates the sides, so that a slow moment of the machine meets all of them, and drops a first round that
// warms caches for all of them alike.
func measure(ctx context.Context, env *environment, c benchCase, rounds int) (reports, error) {
	sides, err := c.sides(env)
	if err != nil {
		return nil, err
	}
	for _, s := range sides {
		if s.end != nil {
			defer s.end()
		}
	}
	for _, s := range sides {
		if s.setUp != nil {
			if err := s.setUp(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	figures := map[string][]float64{}
	first := 1
	if c.counts {
		first = 0
	}
	for round := range rounds + first {
		for i := range sides {
			s := sides[(i+round)%len(sides)]
			v, err := s.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", s.name, round, err)
			}
			if round >= first {
				figures[s.name] = append(figures[s.name], v)
			}
		}
	}
	r := report{c: c, medians: map[string]float64{}}
	for _, s := range sides {
		r.order = append(r.order, s.name)
		r.medians[s.name] = median(figures[s.name])
		if c.counts {
			r.medians[s.name] = mean(figures[s.name])
		}
		if s.note != nil {
			r.notes = append(r.notes, fmt.Sprintf("%s %s, %s: %s", c.id, c.title, s.name, s.note()))
		}
	}
	return reports{r}, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	if n == 0 {
		return 0
	}
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(1, len(v)))
}

// verdict compares devstack's median with every budget.
func (r report) verdict() (text string, ok bool) {
	ok = true
	var parts []string
	mine := r.medians[devstackSide]
	for _, b := range r.c.budgets {
		if b.side == "" {
			parts = append(parts, fmt.Sprintf("≤ %g %s", b.factor, r.c.unit))
			ok = ok && mine <= b.factor
			continue
		}
		parts = append(parts, fmt.Sprintf("≤ %.4g × %s", b.factor, b.side))
		ok = ok && mine <= b.factor*r.medians[b.side]
	}
	return strings.Join(parts, ", "), ok
}

func (rs reports) line() string {
	var parts []string
	for _, r := range rs {
		for _, name := range r.order {
			parts = append(parts, name+" "+r.figure(name))
		}
	}
	return strings.Join(parts, " · ")
}

func markdown(rs []report, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Performance\n\nWritten by `make bench`: %d rounds, sides alternating, medians (of what should not happen, the mean). %d cores, kernel %s, %s.\n", rounds, runtime.NumCPU(), kernel(), runtime.Version())
	b.WriteString("Ratios count, not seconds: a ratio is that side's median over devstack's, so more than 1 means devstack is better.\n\n")
	b.WriteString("| # | work | side | median | side ÷ devstack | budget | verdict |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rs {
		want, ok := r.verdict()
		for _, name := range r.order {
			row := []string{r.c.id, r.c.title, name, r.figure(name), r.ratio(name), "", ""}
			if name == devstackSide {
				row[5], row[6] = want, map[bool]string{true: "met", false: "**missed**"}[ok]
			}
			if name == devstackSide && want == "" {
				row[6] = ""
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	writeNotes(&b, rs)
	return b.String()
}

// figure is a side's, with its unit.
func (r report) figure(name string) string {
	v := r.medians[name]
	if v >= 1000 {
		return fmt.Sprintf("%.0f %s", v, r.c.unit)
	}
	return fmt.Sprintf("%.4g %s", v, r.c.unit)
}

// ratio is a side's figure over devstack's; none where that is nothing at all.
func (r report) ratio(name string) string {
	switch mine := r.medians[devstackSide]; {
	case name == devstackSide:
		return "1"
	case mine == 0:
		return "–"
	default:
		return fmt.Sprintf("%.2f", r.medians[name]/mine)
	}
}

// writeNotes adds what else was seen.
func writeNotes(b *strings.Builder, rs []report) {
	heading := "\n## Notes\n\n"
	for _, r := range rs {
		for _, note := range r.notes {
			fmt.Fprintf(b, "%s- %s\n", heading, note)
			heading = ""
		}
	}
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	version, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return version
}

// environment is what the cases share.
type environment struct {
	devstack, compose, pm2 string
	express                string // the node_modules folder that it is in
	tmp                    string
}

func (e *environment) check() error {
	for _, path := range []string{e.devstack, e.compose, e.pm2, e.express} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s is missing: run `make bench`, which makes everything ready: %w", path, err)
		}
	}
	return nil
}
