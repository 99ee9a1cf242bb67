package compose

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"devstack/profiles/prod"
	"devstack/stack"
)

// hostile are values that some parser on the way reads as something else.
var hostile = []string{
	"", " ", "  x  ", "$", "$$", "${HOME}", "$HOME", "$(X)", "%s%n", "`id`", "a: b", "- a", "# no", "x #y", "yes", "no", "on", "y", "~", "null",
	"true", "0o7", "010", "1e3", "0x1F", "1_000", "12:30:45", "2026-11-24", ".inf", "=", "<<", "*a", "&a", "!!str x", "|", ">", "@x", "%TAG", "---", "...",
	"'", `"`, `\`, `\n`, `it's "quoted"`, "{a: b}", "[a]", "a\nb", "\na\n", "a\n\n", "a\r\nb\r", "\ttab", "a\t\n b", "\u0085\u2028\u2029\ufeff", "\x01\x1b[0m\x7f",
	"🚀 é ü 漢字 \U0010ffff", strings.Repeat("x", 32<<10), strings.Repeat(`$'"\ `+"\n", 5<<10), strings.Repeat("word ", 2000) + "end", "${A:?b}", "${A:-$", "}", "$${", "\u00a0",
}

// alphabet is what random values are made of.
var alphabet = []rune("$ {}'\"\\\n\r\t:#-?&*!|>%@`,[]()=~ayesno019._é🚀\u0085\u2028\ufeff\x01\x7f\u00a0")

func word(r *rand.Rand) string {
	out := make([]rune, r.IntN(40))
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

// Values, command words and what fills in a secret reach the container as they are, through Compose's own parser.
func TestHostileValuesAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := hostile
	for range 3000 {
		values = append(values, word(r))
	}
	w := prod.Workload{
		Name: "a", App: "it's $a \"app\"", Image: prod.Image{Variable: "A_IMAGE"}, WorkDir: "/app/$x y", Restart: prod.Always,
		Command: append([]string{"node"}, values...), Config: []prod.Variable{{Name: "a.b-c", Value: "1"}},
	}
	environment := map[string]string{"A_IMAGE": "a@sha256:0"}
	for i, v := range values {
		n := strconv.Itoa(i)
		w.Config = append(w.Config, prod.Variable{Name: "V" + n, Value: v})
		w.Secrets = append(w.Secrets, prod.Secret{Name: "S" + n, Reason: prod.Unset})
		environment["S"+n] = v
	}
	files, _ := render(t, prod.Model{Name: "m", Workloads: []prod.Workload{w}}, Options{})
	project, err := load(t.Context(), files[0].Data, environment)
	if err != nil {
		t.Fatal(err)
	}
	s := project.Services["a"]
	for i, want := range values {
		n := strconv.Itoa(i)
		for what, got := range map[string]string{"value": *s.Environment["V"+n], "secret": *s.Environment["S"+n], "word": s.Entrypoint[i+1]} {
			if got != want {
				t.Errorf("%s %d: %.80q became %.80q", what, i, want, got)
			}
		}
	}
	if s.WorkingDir != w.WorkDir || s.Labels["devstack.app"] != w.App || *s.Environment["a.b-c"] != "1" {
		t.Errorf("working_dir %q, label %q", s.WorkingDir, s.Labels["devstack.app"])
	}
}

func TestWhatIsRequiredIsRequired(t *testing.T) {
	m, _ := cases[1].model(t)
	files, _ := render(t, m, cases[1].options)
	all := fill(files[1].Data)
	if len(all) < 10 {
		t.Fatalf("env.example names %d variables: %v", len(all), all)
	}
	for name := range all {
		without := fill(files[1].Data)
		delete(without, name)
		if _, err := load(t.Context(), files[0].Data, without); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		without[name] = ""
		mayBe := name == "OPTIONAL"
		if _, err := load(t.Context(), files[0].Data, without); (err == nil) != mayBe {
			t.Errorf("with %s empty: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	model := func(edit func(w *prod.Workload)) prod.Model {
		w := prod.Workload{Name: "a", App: "A", WorkDir: "/app", Ports: []prod.Port{{Number: 80}}, Replicas: 1}
		edit(&w)
		return prod.Model{Name: "m", Source: "ecosystem.yaml", Workloads: []prod.Workload{w}}
	}
	for name, c := range map[string]struct {
		m    prod.Model
		o    Options
		want string
	}{
		"not UTF-8":       {m: model(func(w *prod.Workload) { w.Config = []prod.Variable{{Name: "X", Value: "\xff"}} }), want: "env.X: its value is not UTF-8"},
		"odd secret":      {m: model(func(w *prod.Workload) { w.Secrets = []prod.Secret{{Name: "a.token"}} }), want: "env.a.token: Compose takes no variable"},
		"no address":      {m: model(func(*prod.Workload) {}), o: Options{Publish: map[string]string{"A": "3000"}}, want: `port: it cannot be published at "3000"`},
		"no port":         {m: model(func(w *prod.Workload) { w.Ports = nil }), o: Options{Publish: map[string]string{"A": "127.0.0.1:1"}}, want: "port: it has no port to publish"},
		"several":         {m: model(func(w *prod.Workload) { w.Replicas = 2 }), o: Options{Publish: map[string]string{"A": "127.0.0.1:1"}}, want: "instances: several"},
		"a file's errors": {m: prod.Model{Backing: []prod.Backing{{Name: "b", Container: &prod.Container{Config: []prod.Variable{{Name: "X", Value: "\xff"}}}}}}, want: "service b: environment.X"},
	} {
		_, _, err := Render(c.m, c.o)
		var refused stack.Errors
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	var unknown *stack.UnknownError
	if _, _, err := Render(prod.Model{}, Options{Publish: map[string]string{"nobody": "127.0.0.1:1"}}); !errors.As(err, &unknown) {
		t.Errorf("an app that is not there: %v", err)
	}
}
