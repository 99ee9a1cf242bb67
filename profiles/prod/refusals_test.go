package prod_test

import (
	"errors"
	"strings"
	"testing"

	"devstack/profiles/prod"
	"devstack/stack"
)

func TestRefusals(t *testing.T) {
	const compose = "services: {db: {image: 'postgres:16', volumes: ['./data:/data']}, built: {build: .}, cache: {image: redis, command: 'redis-server --requirepass x --password y'}}\n"
	for _, c := range []struct {
		name, file string
		o          prod.Options
		want       []string
	}{
		{"processors", oneApp("instances: max"), prod.Options{}, []string{"app web: instances: max and -n"}},
		{"outside", oneApp("cwd: /elsewhere"), prod.Options{}, []string{"app web: cwd: it is outside", "app web: script: it is outside"}},
		{"a secret on the command line", oneApp("args: --token abc"), prod.Options{}, []string{"app web: args: there seems to be a secret"}},
		{"the same in a shell's line", "apps: [{name: web, command: 'a --token abc'}]", prod.Options{}, []string{"app web: command: there seems"}},
		{"the same in a probe", oneApp("healthcheck: {exec: 'a --token abc && b'}"), prod.Options{}, []string{"app web: healthcheck.exec: there seems"}},
		{"a password in a probe", oneApp("healthcheck: {http: 'http://a:b@localhost/'}"), prod.Options{}, []string{"app web: healthcheck.http: the URL contains a password"}},
		{"heap", oneApp("max_memory_restart: 512M, node_args: --max-old-space-size=500"), prod.Options{}, []string{"app web: max_memory_restart: Node's heap of 500 MiB"}},
		{"a variable without a value", oneApp("args: ['${A}', '${B:-}']"), prod.Options{}, []string{"app web: ${A}: a key other than env uses it"}},
		{"seconds", oneApp("one_shot: true, cron_restart: '5 * * * * *'"), prod.Options{}, []string{"app web: cron_restart: no production scheduler"}},
		{"every", oneApp("one_shot: true, cron_restart: '@every 5m'"), prod.Options{}, []string{"app web: cron_restart: no production scheduler"}},
		{"one name", "apps: [{name: a_b, script: a.js}, {name: A.b, script: a.js}]", prod.Options{}, []string{"app A.b: name: production calls it a-b, as it calls app a_b"}},
		{"a mount", oneApp("port: 1") + "\ncompose: compose.yaml\nservices: [db]", prod.Options{Containers: []string{"db"}}, []string{"service db: volumes: only named volumes"}},
		{"a build", oneApp("port: 1") + "\ncompose: compose.yaml\nservices: [built]", prod.Options{Containers: []string{"built"}}, []string{"service built: build: an export does not build backing services"}},
		{"a container's secret", oneApp("port: 1") + "\ncompose: compose.yaml\nservices: [cache]", prod.Options{Containers: []string{"cache"}}, []string{"service cache: command: there seems"}},
		{"no apps", "compose: compose.yaml", prod.Options{}, []string{"there are no apps to export"}},
		{"several at once", oneApp("instances: -1, args: --token abc"), prod.Options{}, []string{"args: there seems", "instances: max and -n"}},
	} {
		st := loadedWith(t, map[string]string{"ecosystem.yaml": c.file, "compose.yaml": compose})
		m, r, err := prod.Derive(st, c.o)
		var problems stack.Errors
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(problems) != len(c.want) || len(m.Workloads) != 0 || len(r.Entries) != 0 {
			t.Errorf("%s: %v", c.name, problems)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(problems[i].Error(), "ecosystem.yaml: ") || !strings.Contains(problems[i].Error(), want) || problems[i].Hint == "" {
				t.Errorf("%s: %q, hint %q", c.name, problems[i], problems[i].Hint)
			}
		}
	}
}

func TestUnknownNames(t *testing.T) {
	st := loaded(t, oneApp("port: 1"))
	for _, o := range []prod.Options{{Containers: []string{"redis"}}, {Images: map[string]string{"wbe": "x"}}} {
		_, _, err := prod.Derive(st, o)
		var unknown *stack.UnknownError
		if !errors.As(err, &unknown) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
