package stack_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

func graphStack(t *testing.T) *stack.Stack {
	return load(t, write(t, map[string]string{
		"compose.yaml": "services: {db: {image: x}, cache: {image: x, depends_on: {db: {condition: service_healthy}}}, alone: {image: x}}",
		"ecosystem.yaml": `
compose: compose.yaml
apps:
- {name: web, script: a.js, depends_on: [api]}
- {name: api, script: a.js, depends_on: {cache: {condition: service_started}, migrate: {condition: service_completed_successfully}}}
- {name: migrate, script: a.js, one_shot: true, depends_on: [db]}
- {name: lone, script: a.js}
`,
	}))
}

func TestGraph(t *testing.T) {
	s := graphStack(t)
	if diff := cmp.Diff([][]string{{"alone", "db", "lone"}, {"cache", "migrate"}, {"api"}, {"web"}}, s.Layers()); diff != "" {
		t.Errorf("layers: %s", diff)
	}
	want := []stack.Dependency{{Name: "cache", Service: true, Condition: stack.Started}, {Name: "migrate", Condition: stack.Completed}}
	if diff := cmp.Diff(want, app(t, s, "api").DependsOn); diff != "" {
		t.Errorf("dependencies: %s", diff)
	}
	for _, c := range []struct{ names, closure, dependents []string }{
		{[]string{"db"}, []string{"db"}, []string{"db", "cache", "migrate", "api", "web"}},
		{[]string{"api"}, []string{"db", "cache", "migrate", "api"}, []string{"api", "web"}},
		{[]string{"lone", "cache"}, []string{"db", "lone", "cache"}, []string{"lone", "cache", "api", "web"}},
		{nil, s.Order(), s.Order()},
	} {
		closure, err := s.Closure(c.names...)
		if diff := cmp.Diff(c.closure, closure); diff != "" || err != nil {
			t.Errorf("closure of %v: %v %s", c.names, err, diff)
		}
		dependents, err := s.Dependents(c.names...)
		if diff := cmp.Diff(c.dependents, dependents); diff != "" || err != nil {
			t.Errorf("dependents of %v: %v %s", c.names, err, diff)
		}
	}
	_, err := s.Closure("cahce")
	var unknown *stack.UnknownError
	if !errors.As(err, &unknown) || err.Error() != `no app or service is named "cahce"; did you mean "cache"?` {
		t.Errorf("got %v", err)
	}
}

func TestConfigShowsOriginsAndMasks(t *testing.T) {
	s := load(t, write(t, map[string]string{
		"compose.yaml": "services: {db: {image: x, environment: {POSTGRES_PASSWORD: hidden}, command: [x, --password=hidden]}}",
		"ecosystem.yaml": `
compose: compose.yaml
defaults: {min_uptime: 5s}
apps: [{name: web, script: a.js, max_restarts: 3, args: --token hidden, env: {API_KEY: hidden}}]
profiles: {dev: {defaults: {kill_timeout: 1m}, apps: {web: {wait_ready: true}}}}
`,
	}))
	c, err := s.Config(false)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]stack.Setting{}
	for _, setting := range c.Apps[0].Settings {
		got[setting.Key] = setting
	}
	for key, want := range map[string]stack.Setting{
		"max_restarts":   {"max_restarts", 3, "app"},
		"min_uptime":     {"min_uptime", "5s", "defaults"},
		"kill_timeout":   {"kill_timeout", "1m", "profile defaults"},
		"wait_ready":     {"wait_ready", true, "profile app"},
		"listen_timeout": {"listen_timeout", "30s", "default"},
		"port":           {"port", nil, "default"},
		"args":           {"args", []string{"--token", "***"}, "app"},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if v := c.Apps[0].Environment[0]; v.Value != "***" || v.Origin != "env" {
		t.Errorf("environment: %+v", v)
	}
	service := c.Compose.(map[string]any)["services"].(map[string]any)["db"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"POSTGRES_PASSWORD": "***"}, service["environment"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{"x", "--password=***"}, service["command"]); diff != "" {
		t.Error(diff)
	}
	if open, err := s.Config(true); err != nil || open.Apps[0].Environment[0].Value != "hidden" {
		t.Errorf("%v, %+v", err, open.Apps[0].Environment)
	}
	if s.Apps[0].Environment[0].Value != "hidden" {
		t.Error("masking changed the stack")
	}
}
