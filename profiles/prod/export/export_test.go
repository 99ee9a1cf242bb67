package export_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/profiles/prod/export"
	"devstack/stack"
)

// Where, when and with what environment an export is made changes no byte of it.
func TestTheSameFilesGiveTheSameBytesEverywhere(t *testing.T) {
	dir, _ := planted(t)
	first := map[string]map[string]string{}
	for _, target := range export.Targets() {
		first[target] = written(t, target, dir, containers(target))
		if diff := cmp.Diff(first[target], written(t, target, dir, containers(target))); diff != "" {
			t.Errorf("%s twice: %s", target, diff)
		}
	}
	moved := t.TempDir()
	if err := os.CopyFS(moved, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	shuffleEnvironment(t)
	t.Chdir("/")
	for _, target := range export.Targets() {
		for _, there := range []string{dir, moved} {
			if diff := cmp.Diff(first[target], written(t, target, there, containers(target))); diff != "" {
				t.Errorf("%s with another environment, from another directory: %s", target, diff)
			}
		}
	}
}

// shuffleEnvironment reverses the order of this process's variables, changes the values of all but a few, and adds others.
func shuffleEnvironment(t *testing.T) {
	t.Helper()
	before := os.Environ()
	restore := func(all []string, value func(name, value string) string) {
		os.Clearenv()
		for _, v := range all {
			name, old, _ := strings.Cut(v, "=")
			if err := os.Setenv(name, value(name, old)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { restore(before, func(_, old string) string { return old }) })
	changed := append(slices.Clone(before), "DEVSTACK_PROFILE=dev", "NODE_ENV=test", "PORT=1", "COMPOSE_PROJECT_NAME=other", "TZ=Asia/Tokyo", "LC_ALL=C")
	slices.Reverse(changed)
	restore(changed, func(name, old string) string {
		if slices.Contains([]string{"PATH", "HOME", "TMPDIR", "DEVSTACK_PROFILE", "TZ", "LC_ALL"}, name) {
			return old
		}
		return old + "x"
	})
}

// Every key of every app and of the stack is in the report of every target, and every entry says something.
func TestEveryTargetAccountsForEveryKey(t *testing.T) {
	sample, err := filepath.Abs("../../../ecosystem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := planted(t)
	for _, file := range []string{sample, filepath.Join(dir, "ecosystem.yaml")} {
		for _, target := range export.Targets() {
			e, err := export.Render(t.Context(), target, export.Options{
				Load: prod.LoadOptions{File: file}, Dir: filepath.Join(filepath.Dir(file), "deploy", target),
			})
			if err != nil {
				t.Fatal(err)
			}
			wanted := map[string]bool{}
			for _, key := range stack.TopKeys() {
				wanted[prod.StackSubject+": "+key] = true
			}
			for _, app := range e.Stack.Apps {
				for _, key := range stack.AppKeys() {
					wanted[prod.AppSubject(app.Name)+": "+key] = true
				}
			}
			for _, entry := range e.Report.Entries {
				if entry.How == "" || entry.Verdict == "" || entry.Target != "" && entry.Target != target {
					t.Errorf("%s: %+v", target, entry)
				}
				key, _, _ := strings.Cut(entry.Key, ".")
				delete(wanted, entry.Subject+": "+key)
			}
			if len(wanted) > 0 {
				t.Errorf("%s has no entry for %v", target, slices.Sorted(maps.Keys(wanted)))
			}
		}
	}
}

func TestUnknownTargetsAndApps(t *testing.T) {
	dir, _ := planted(t)
	var unknown *stack.UnknownError
	load := prod.LoadOptions{File: filepath.Join(dir, "ecosystem.yaml")}
	if _, err := export.Render(t.Context(), "nomad", export.Options{Load: load, Dir: dir}); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
	options := export.Options{Load: load, Model: prod.Options{Images: map[string]string{"wep": "x"}}, Dir: dir}
	if _, err := export.Render(t.Context(), "compose", options); !errors.As(err, &unknown) || unknown.Name != "wep" {
		t.Errorf("%v", err)
	}
}
