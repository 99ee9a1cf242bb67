package main

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// parse runs command with args and returns what it would have run with.
func parse(t *testing.T, command *cobra.Command, args ...string) error {
	t.Helper()
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	return command.ExecuteContext(t.Context())
}

func TestUpFlags(t *testing.T) {
	for _, test := range []struct {
		args string
		want UpOptions
	}{
		{"", UpOptions{Infra: "auto", Timeout: 2 * time.Minute}},
		{"--infra native", UpOptions{Infra: "native", Timeout: 2 * time.Minute}},
		{"-d --wait web", UpOptions{Infra: "auto", Timeout: 2 * time.Minute, Names: []string{"web"}}},
		{
			"--build --dry-run --attach --only --no-infra --infra docker --timeout 3s a b",
			UpOptions{
				Names: []string{"a", "b"}, Build: true, DryRun: true, Attach: true, Only: true, NoInfra: true, Infra: "docker",
				Timeout: 3 * time.Second,
			},
		},
	} {
		var got *UpOptions
		command := newCmdUp(&Factory{}, func(_ context.Context, o *UpOptions) error { got = o; return nil })
		if err := parse(t, command, strings.Fields(test.args)...); err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		got.Factory = nil
		if len(got.Names) == 0 {
			got.Names = nil
		}
		if !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%q: got %+v, want %+v", test.args, *got, test.want)
		}
	}
}

func TestLogsFlags(t *testing.T) {
	since := now().Add(-10 * time.Minute)
	for _, test := range []struct {
		args string
		want LogsOptions
	}{
		{"", LogsOptions{Lines: 15, Follow: true}},
		{"--lines 100 --err", LogsOptions{Lines: 100, Follow: true, Stream: "err"}},
		{"--out --nostream", LogsOptions{Lines: 15, Stream: "out"}},
		{"--out --err --no-follow", LogsOptions{Lines: 15}},
		{"--since 10m", LogsOptions{Lines: allLines, Follow: true, Since: since}},
		{"--since 2026-11-23T11:50:00Z --lines 3", LogsOptions{Lines: 3, Follow: true, Since: since}},
		{"--raw --timestamp --highlight x", LogsOptions{Lines: 15, Follow: true, Raw: true, Timestamp: true, Highlight: "x"}},
	} {
		var got LogsOptions
		var flags logsFlags
		command := &cobra.Command{RunE: func(cmd *cobra.Command, _ []string) error {
			flags.linesGiven = cmd.Flags().Changed("lines")
			return flags.apply(&got, now())
		}}
		flags.add(command, &got)
		if err := parse(t, command, strings.Fields(test.args)...); err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		if !got.Since.Equal(test.want.Since) {
			t.Errorf("%q: since %v, not %v", test.args, got.Since, test.want.Since)
		}
		got.Since, test.want.Since = time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %+v, want %+v", test.args, got, test.want)
		}
	}
}

func TestActionFlags(t *testing.T) {
	type command func(*Factory, func(context.Context, *ActionOptions) error) *cobra.Command
	for _, build := range []command{newCmdStart, newCmdStop, newCmdRestart, newCmdReload, newCmdDelete, newCmdReset, newCmdFlush} {
		var got *ActionOptions
		c := build(&Factory{}, func(_ context.Context, o *ActionOptions) error { got = o; return nil })
		if err := parse(t, c, "a", "b", "--timeout", "5s"); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Names, []string{"a", "b"}) || got.Timeout != 5*time.Second {
			t.Errorf("%s: got %+v", c.Name(), got)
		}
	}
}

func TestScaleTakesAMinus(t *testing.T) {
	for line, want := range map[string]api.ScaleRequest{
		"scale web 3":                 {Name: "web", Instances: 3, Timeout: 2 * time.Minute},
		"scale web +2":                {Name: "web", Instances: 2, Relative: true, Timeout: 2 * time.Minute},
		"scale web -1":                {Name: "web", Instances: -1, Relative: true, Timeout: 2 * time.Minute},
		"scale web -1 --timeout 5s":   {Name: "web", Instances: -1, Relative: true, Timeout: 5 * time.Second},
		"--no-color scale web -- -10": {Name: "web", Instances: -10, Relative: true, Timeout: 2 * time.Minute},
		"scale --timeout 5s web 1":    {Name: "web", Instances: 1, Timeout: 5 * time.Second},
	} {
		posts := map[string]string{}
		b := newBed(t, daemon(posts, api.Result{}))
		if code := b.run(strings.Fields(line)...); code != api.ExitDone {
			t.Errorf("devstack %s ended with %d: %s", line, code, b.err)
			continue
		}
		var got api.ScaleRequest
		if err := json.Unmarshal([]byte(posts["/v1/scale"]), &got); err != nil || got != want {
			t.Errorf("devstack %s asked for %+v, %v", line, got, err)
		}
	}
}

// Each is refused with 2 before anything is asked or started.
func TestUsageErrors(t *testing.T) {
	for line, says := range map[string]string{
		"upp":                       `there is no command "upp": did you mean up`,
		"nonsense":                  `there is no command "nonsense"`,
		"up --nonsense":             "unknown flag: --nonsense",
		"up --infra vm":             "--infra needs auto, docker or native",
		"up --timeout soon":         "invalid argument",
		"up --timeout 0s":           "--timeout needs a time",
		"down extra":                "extra",
		"down -v --keep-infra":      "use one of them",
		"describe":                  "accepts 1 arg",
		"logs --lines -1":           "--lines needs a number",
		"logs --lines many":         "invalid argument",
		"logs --since yesterday":    "--since needs a duration like 10m",
		"logs --grep [":             "--grep",
		"logs --raw --json":         "exclude each other",
		"ps --progress fancy":       "--progress needs auto, tty, plain or json",
		"ps -C /nonexistent/folder": "is not a directory",
		"restart --timeout -1s":     "--timeout needs a time",
		"resurrect --timeout 0s":    "--timeout needs a time",
		"resurrect web":             "web",
		"save extra":                "extra",
		"delete":                    "or all for every app",
		"scale web":                 "accepts 2 arg(s)",
		"scale web some":            "N, +N or -N",
		"signal HUP":                "requires at least 2 arg",
		"env":                       "accepts 1 arg",
	} {
		b := newBed(t, nil)
		if code := b.run(strings.Fields(line)...); code != api.ExitUsage {
			t.Errorf("devstack %s ended with %d", line, code)
		}
		if !strings.Contains(b.err.String(), says) {
			t.Errorf("devstack %s said %q, not %q", line, b.err, says)
		}
		if b.out.Len() > 0 || b.spawned > 0 || len(b.asked) > 0 {
			t.Errorf("devstack %s did something: %q, %d, %q", line, b.out, b.spawned, b.asked)
		}
	}
}
