package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
)

// LogsOptions is what `devstack logs` was asked for.
type LogsOptions struct {
	*Factory
	Names     []string
	Lines     int
	Stream    string // out, err, or empty for both
	Raw       bool
	JSON      bool
	Timestamp bool
	Follow    bool
	Since     time.Time
	Grep      *regexp.Regexp
	Highlight string
}

// allLines is more lines than any log holds.
const allLines = 1 << 30

func newCmdLogs(f *Factory, runF func(context.Context, *LogsOptions) error) *cobra.Command {
	o := &LogsOptions{Factory: f}
	var flags logsFlags
	cmd := &cobra.Command{
		Use:     "logs [NAME...]",
		Aliases: []string{"log"},
		Short:   "Print the output of processes and services, merged by time, and follow it",
		GroupID: groupLook,
		Long: `Prints the last 15 lines of each stream, merged by time, then follows until Ctrl-C, which ends it with 0.
With no stack running it prints what is on disk and ends. --since and --grep look at all lines unless --lines is given.`,
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			flags.linesGiven = cmd.Flags().Changed("lines")
			if err := flags.apply(o, time.Now()); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return logsRun(cmd.Context(), o)
		},
	}
	flags.add(cmd, o)
	return cmd
}

// logsFlags are the flags whose values need a second look.
type logsFlags struct {
	lines             int
	linesGiven        bool
	err, out          bool
	noFollow, noTail  bool
	since, expression string
}

func (l *logsFlags) add(cmd *cobra.Command, o *LogsOptions) {
	flags := cmd.Flags()
	flags.IntVar(&l.lines, "lines", 15, "how many lines of each stream")
	flags.BoolVar(&l.err, "err", false, "print standard error alone")
	flags.BoolVar(&l.out, "out", false, "print standard output alone")
	flags.BoolVar(&o.Raw, "raw", false, "print the lines alone, without names")
	flags.BoolVar(&o.JSON, "json", false, "print one JSON record per line")
	flags.BoolVar(&o.Timestamp, "timestamp", false, "print the time of each line")
	flags.BoolVar(&l.noFollow, "no-follow", false, "print what is there, and end")
	flags.BoolVar(&l.noTail, "nostream", false, "as --no-follow; PM2's name for it")
	flags.StringVar(&l.since, "since", "", "only lines since a `time`: 10m ago, or 2026-01-02T15:04:05Z")
	flags.StringVar(&l.expression, "grep", "", "only lines that match the `regexp`")
	flags.StringVar(&o.Highlight, "highlight", "", "mark this `text` in the lines")
}

func (l *logsFlags) apply(o *LogsOptions, now time.Time) error {
	if l.lines < 0 {
		return usageError("--lines needs a number of lines, not %d", l.lines)
	}
	if o.Raw && o.JSON {
		return usageError("--raw and --json exclude each other: use one of them")
	}
	o.Lines, o.Follow, o.Stream = l.lines, !l.noFollow && !l.noTail, ""
	if l.err != l.out {
		o.Stream = map[bool]string{true: "err", false: "out"}[l.err]
	}
	if (l.since != "" || l.expression != "") && !l.linesGiven {
		o.Lines = allLines
	}
	if l.since != "" {
		var err error
		if o.Since, err = sinceTime(l.since, now); err != nil {
			return err
		}
	}
	if l.expression != "" {
		var err error
		if o.Grep, err = regexp.Compile(l.expression); err != nil {
			return usageError("--grep needs a regular expression: %v", err)
		}
	}
	return nil
}

// sinceTime is a duration before now, or a time.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError("--since needs a duration like 10m, or a time like 2026-01-02T15:04:05, not %q", text)
}

func logsRun(ctx context.Context, o *LogsOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	state, err := o.Running(ctx, p)
	if errors.Is(err, api.ErrNotRunning) || err == nil && p.StateDir != p.own.StateDir {
		return logsFromDisk(ctx, o, p) // a moved directory has taken its logs along: the daemon does not see them
	}
	if err != nil {
		return interruptedLogs(o, err)
	}
	for _, service := range state.Services {
		if service.Driver == "none" && slices.Contains(o.Names, service.Name) {
			fmt.Fprintf(o.IO.Err, "note: %s is run by others, and so is its log: docker logs, or devstack logs %[1]s as a user of the engine, such as root\n", service.Name)
		}
	}
	printer := &logPrinter{LogsOptions: o, width: nameWidth(o.Names, state)}
	for record, err := range o.Client(p).Logs(ctx, o.request(o.Follow)) {
		if err != nil {
			return interruptedLogs(o, err)
		}
		if err := printer.print(record); err != nil {
			return err
		}
	}
	return nil
}

func (o *LogsOptions) request(follow bool) api.LogsRequest {
	return api.LogsRequest{Names: o.Names, Lines: o.Lines, Stream: o.Stream, Follow: follow, Since: o.Since}
}

// interruptedLogs is nil where following ends as it should: the stack has ended, or the reader has seen enough.
func interruptedLogs(o *LogsOptions, err error) error {
	if errors.Is(err, api.ErrNotRunning) || (errors.Is(err, context.Canceled) && o.Follow) {
		return nil
	}
	return err
}

// logsFromDisk prints what a stack that runs no more has left.
func logsFromDisk(ctx context.Context, o *LogsOptions, p *project) error {
	printer := &logPrinter{LogsOptions: o}
	var all []api.LogRecord
	err := o.Once(ctx, p.Files, func(ctx context.Context, c *api.Client) error {
		for record, err := range c.Logs(ctx, o.request(false)) {
			if err != nil {
				return err
			}
			all = append(all, record)
			printer.width = max(printer.width, len([]rune(format.Instance(record.AppName, record.Instance))))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, record := range all {
		if err := printer.print(record); err != nil {
			return err
		}
	}
	return nil
}
