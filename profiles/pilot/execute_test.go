package pilot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bench is a machine on which a command does nothing but to be written down; done makes a step disappear from the plan.
type bench struct {
	ran  []string
	done map[string]bool
	fail string // this command fails
}

func (b *bench) run(_ context.Context, argv []string, _ string, _ []string) error {
	b.ran = append(b.ran, strings.Join(argv, " "))
	if b.fail == b.ran[len(b.ran)-1] {
		return errors.New("it broke")
	}
	b.done[argv[0]] = true
	return nil
}

// plan has a step for each name, which is done by a command of that name.
func (b *bench) plan(names ...string) func() []Step {
	return func() (steps []Step) {
		for _, name := range names {
			s := Step{Name: name, Again: name == "lists"}
			if !b.done[name] {
				s.Do, s.Actions = "do "+name, []Action{run(name)}
			}
			steps = append(steps, s)
		}
		return steps
	}
}

func quiet(Step) {}

func TestExecuteGoesOnWhereItBroke(t *testing.T) {
	b := &bench{done: map[string]bool{}, fail: "units"}
	plan := b.plan("user", "units", "start")
	out, err := Execute(t.Context(), plan, b.run, quiet)
	if err == nil || !strings.Contains(err.Error(), "units: it broke") || !slices.Equal(out.Done, []string{"user"}) || out.Failed.Name != "units" {
		t.Errorf("%+v, %v", out, err)
	}
	b.fail = ""
	if out, err = Execute(t.Context(), plan, b.run, quiet); err != nil || !slices.Equal(out.Done, []string{"units", "start"}) {
		t.Errorf("%+v, %v", out, err)
	}
	b.ran = nil
	if out, err = Execute(t.Context(), plan, b.run, quiet); err != nil || len(out.Done) != 0 || len(b.ran) != 0 {
		t.Errorf("a third time: %+v, %v", out, err)
	}
}

func TestExecuteLooksAnewAfterAStepThatSaysSo(t *testing.T) {
	b := &bench{done: map[string]bool{}}
	var rounds [][]string
	plan := b.plan("lists", "packages")
	_, err := Execute(t.Context(), func() []Step {
		rounds = append(rounds, slices.Clone(b.ran))
		return plan()
	}, b.run, quiet)
	if err != nil || len(rounds) != 3 || len(rounds[1]) != 1 || len(rounds[2]) != 2 {
		t.Errorf("looked after %v, %v", rounds, err)
	}
}

func TestExecuteSaysWhatHasNoEffect(t *testing.T) {
	b := &bench{done: map[string]bool{}}
	stubborn := Step{Name: "units", Do: "write them", Actions: []Action{run("true")}}
	out, err := Execute(t.Context(), func() []Step { return []Step{stubborn} }, b.run, quiet)
	if err == nil || !strings.Contains(err.Error(), "cannot finish units") || len(b.ran) != 1 || out.Failed == nil {
		t.Errorf("%+v, %v after %v", out, err, b.ran)
	}
}

func TestExecuteTouchesNothingWhenAPersonIsNeeded(t *testing.T) {
	b := &bench{done: map[string]bool{}}
	ready := Step{Name: "user", Do: "make it", Actions: []Action{run("useradd")}}
	blocked := Step{Name: "Node.js", Problem: &Problem{Message: "too old"}}
	out, err := Execute(t.Context(), func() []Step { return []Step{ready, blocked} }, b.run, quiet)
	if err != nil || len(out.Blocked) != 1 || len(b.ran) != 0 {
		t.Errorf("%+v, %v after %v", out, err, b.ran)
	}
	waits := Step{Name: StartStep, Problem: &Problem{Message: "nothing sets API_KEY"}}
	if out, _ = Execute(t.Context(), func() []Step { return append(b.plan("useradd")(), waits) }, b.run, quiet); len(b.ran) != 1 || len(out.Blocked) != 0 {
		t.Errorf("values are missing for the start alone: %+v after %v", out, b.ran)
	}
}

func TestFilesAreReplacedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	env := filepath.Join(dir, "etc", "acme.env")
	write := Action{Write: &File{Path: env, Mode: 0o600, Text: "A=1\n"}}
	source, target := filepath.Join(dir, "new"), filepath.Join(dir, "bin", "devstack")
	if err := os.WriteFile(source, []byte("second"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(target, 0o755, []byte("first")); err != nil {
		t.Fatal(err)
	}
	running, err := os.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	for range 2 {
		for _, a := range []Action{write, {Copy: [2]string{source, target}}, {Remove: filepath.Join(dir, "absent")}} {
			if err := Carry(t.Context(), a, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, want := range map[string]struct {
		text string
		mode os.FileMode
	}{env: {"A=1\n", 0o600}, target: {"second", 0o755}} {
		text, err := os.ReadFile(path)
		info, bad := os.Stat(path)
		if err != nil || bad != nil || string(text) != want.text || info.Mode() != want.mode {
			t.Errorf("%s holds %q, mode %v: %v %v", path, text, info.Mode(), err, bad)
		}
	}
	old := make([]byte, 5)
	if _, err := running.ReadAt(old, 0); err != nil || string(old) != "first" {
		t.Errorf("what runs lost its file: %q, %v", old, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if !same(source, target) || same(source, env) || same(filepath.Join(dir, "absent"), target) {
		t.Error("cannot tell files apart")
	}
}
