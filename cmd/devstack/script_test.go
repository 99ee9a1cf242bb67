package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"devstack/bench/freeport"
	"devstack/daemon/api"
)

// TestScripts types what testdata/script says against the real executables. Each script has a folder and a
// DEVSTACK_HOME of its own, and its stack is gone when it ends.
func TestScripts(t *testing.T) {
	t.Parallel()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home, err := os.MkdirTemp("", "ds-") // short, for the socket in it
			if err != nil {
				return err
			}
			env.Setenv("DEVSTACK_HOME", home)
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			env.Setenv("PORT_A", strconv.Itoa(freeport.Get(t)))
			env.Defer(func() { endStacks(t, bin, env, home) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "processes": processes, "pid": pid, "restarts": restarts,
		},
	})
}

// endStacks ends whatever a script has left running, wherever in its folder.
func endStacks(t *testing.T, bin string, env *testscript.Env, home string) {
	files, err := filepath.Glob(filepath.Join(env.WorkDir, "*", "ecosystem.y*ml"))
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		location, err := api.Locate(filepath.Dir(file), home)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := os.Stat(location.Socket); err != nil {
			continue
		}
		down := exec.Command(filepath.Join(bin, "devstack"), "-f", file, "down")
		down.Env = env.Vars
		if output, err := down.CombinedOutput(); err != nil {
			t.Errorf("%s is left running: %v\n%s", file, err, output)
		}
	}
	if err := os.RemoveAll(home); err != nil {
		t.Error(err)
	}
}

// exits CODE PROGRAM [ARG...] runs a program that has to end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("cannot run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s ended with %d, not %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// processes NAME=STATUS... compares the processes of the ps --json that ran last.
func processes(ts *testscript.TestScript, neg bool, args []string) {
	var got []string
	for _, p := range lastState(ts).Processes {
		got = append(got, p.Name+"="+string(p.Status))
	}
	if slices.Sort(got); neg || !slices.Equal(got, args) {
		ts.Fatalf("processes are %q, not %q", got, args)
	}
}

// restarts NAME INSTANCE=N... compares the restarts of an app's instances in the ps --json that ran last.
func restarts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: restarts NAME INSTANCE=N...")
	}
	var got []string
	for _, p := range lastState(ts).Processes {
		if p.Name == args[0] {
			got = append(got, fmt.Sprintf("%d=%d", p.Instance, p.Restarts))
		}
	}
	if !slices.Equal(got, args[1:]) {
		ts.Fatalf("restarts of %s are %q, not %q", args[0], got, args[1:])
	}
}

// pid NAME[#INSTANCE] VARIABLE keeps the pid of a process of the ps --json that ran last.
func pid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pid NAME VARIABLE")
	}
	for _, p := range lastState(ts).Processes {
		if (p.Name == args[0] && p.Instance == 0 || fmt.Sprintf("%s#%d", p.Name, p.Instance) == args[0]) && p.Pid != nil {
			ts.Setenv(args[1], strconv.Itoa(*p.Pid))
			return
		}
	}
	ts.Fatalf("%s has no pid", args[0])
}

func lastState(ts *testscript.TestScript) api.State {
	var s api.State
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &s); err != nil {
		ts.Fatalf("standard output is no state: %v", err)
	}
	return s
}
