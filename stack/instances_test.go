package stack_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"devstack/stack"
)

func TestInstances(t *testing.T) {
	cpus := runtime.NumCPU()
	for _, tc := range []struct {
		keys string
		want int
		mode string
	}{
		{"instances: 1", 1, "fork"},
		{"instances: 3", 3, "cluster"},
		{"instances: max", cpus, map[bool]string{true: "cluster", false: "fork"}[cpus > 1]},
		{"instances: -1000", 1, "fork"},
		{"instances: -1", max(1, cpus-1), map[bool]string{true: "cluster", false: "fork"}[cpus > 2]},
		{"instances: 2, exec_mode: fork", 2, "fork"},
		{"exec_mode: cluster_mode", 1, "cluster"},
	} {
		_, a := loadApp(t, "", "apps: [{name: web, script: a.js, "+tc.keys+"}]")
		if a.Instances != tc.want || a.ExecMode != tc.mode {
			t.Errorf("%s: %d instances, %s, not %d, %s", tc.keys, a.Instances, a.ExecMode, tc.want, tc.mode)
		}
	}
}

func TestAnInstanceKnowsItsNumber(t *testing.T) {
	_, a := loadApp(t, "", `
apps:
- {name: web, script: a.js, port: 3000, instances: 3, increment_var: PORT, instance_var: WORKER, log_file: all.log,
   error_file: "NULL", env: {WORKER: "7"}}`)
	show := func(a stack.App) string {
		env := map[string]string{}
		for _, v := range a.Environment {
			env[v.Key] = v.Value
		}
		return fmt.Sprintln(a.Port, env["PORT"], env["WORKER"], filepath.Base(a.OutFile), a.ErrorFile, filepath.Base(a.LogFile))
	}
	if got, want := show(a.Instance(0)), "3000 3000 0 web-out.log /dev/null all.log\n"; got != want {
		t.Errorf("the first is %q, not %q", got, want)
	}
	if got, want := show(a.Instance(2)), "3002 3002 2 web-out-2.log /dev/null all-2.log\n"; got != want {
		t.Errorf("the third is %q, not %q", got, want)
	}
	if a.Port != 3000 || show(a.Instance(2)) == show(a.Instance(1)) {
		t.Error("an instance changes its app")
	}
	a.MergeLogs = true
	if got, want := show(a.Instance(2)), "3002 3002 2 web-out.log /dev/null all.log\n"; got != want {
		t.Errorf("with merged logs the third is %q, not %q", got, want)
	}
	_, a = loadApp(t, "", "apps: [{name: web, script: a.js, increment_var: N}]")
	second := a.Instance(1)
	if got := fmt.Sprint(second.Environ()); !strings.Contains(got, "N=1") {
		t.Errorf("an unset increment_var does not begin at 0: %s", got)
	}
}

func TestTheNumberOfInstancesIsNoChangeOfTheDefinition(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "apps: [{name: web, command: [sleep, '1']}]\nprofiles: {pilot: {apps: {web: {instances: 3, port: 3000}}}}"})
	load := func(profile string) *stack.Stack {
		st, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	if got := load("pilot").Warnings; len(got) != 1 || !strings.Contains(got[0], "3 instances bind port 3000 each for themselves") {
		t.Errorf("warnings %q", got)
	}
	dir = write(t, map[string]string{"ecosystem.yaml": "apps: [{name: web, command: [sleep, '1'], max_restarts: 10}]\nprofiles: {pilot: {apps: {web: {instances: 3}}}}"})
	if load("dev").Apps[0].Hash != load("pilot").Apps[0].Hash {
		t.Error("another number of instances is another definition")
	}
}
