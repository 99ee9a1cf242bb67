package rehearse

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"devstack/profiles/prod"
	"devstack/profiles/prod/export"
)

// script runs one of the project's scripts and is what it prints.
func script(t *testing.T, name string) string {
	t.Helper()
	var side strings.Builder
	cmd := exec.CommandContext(t.Context(), filepath.Join("../../..", "scripts", name))
	cmd.Stderr = &side
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scripts/%s: %v\n%s", name, err, side.String())
	}
	return strings.TrimSpace(string(out))
}

// The sample's exports work on real engines: every workload is healthy, a pipeline passes through, everything stops when
// asked, and no secret gets anywhere but into the processes.
func TestTheSampleIsRehearsed(t *testing.T) {
	script(t, "images")
	t.Setenv("PATH", filepath.Dir(script(t, "compose"))+string(os.PathListSeparator)+os.Getenv("PATH"))
	trial, err := os.ReadFile("../../../examples/agentic-sdlc/trial.mjs")
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs("../../../ecosystem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var steps strings.Builder
	began := time.Now()
	report, err := Rehearse(t.Context(), Request{
		Targets: []string{"compose", "ecs"}, Export: export.Options{Load: prod.LoadOptions{File: file}},
		Base: script(t, "node-base"), Trial: string(trial), Progress: &steps,
	})
	t.Logf("%s\n%s\n%s", steps.String(), report.Text(), time.Since(began))
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]int{}
	for _, c := range report.Checks {
		switch c.Verdict {
		case Passed:
			passed[c.Target+" "+c.Claim]++
		case Failed:
			t.Errorf("%s %s %s: %s", c.Target, c.Subject, c.Claim, c.Detail)
		}
	}
	for _, target := range []string{"compose ", "ecs "} {
		for claim, want := range map[string]int{"starts": 1, "pipeline": 1, "healthy": 6, "environment": 6, "graceful stop": 6, "no secrets": 7} {
			if got := passed[target+claim]; got != want {
				t.Errorf("%s%s: %d passed, not %d", target, claim, got, want)
			}
		}
	}
	run := regexp.MustCompile(`devstack-rehearse-\w+`).FindString(steps.String())
	for _, list := range [][]string{{"ps", "-aq"}, {"network", "ls", "-q"}, {"volume", "ls", "-q"}} {
		if left, err := docker(t.Context(), append(list, "--filter", "name="+run)...); err != nil || left != "" {
			t.Errorf("docker %s: %q is left, %v", list[0], left, err)
		}
	}
	if left, err := docker(t.Context(), "images", "-q", run+"/*"); err != nil || left != "" {
		t.Errorf("images are left: %s %v", left, err)
	}
}
