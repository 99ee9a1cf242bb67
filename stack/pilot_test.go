package stack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

// setting is a key of an app's configuration as `devstack config` shows it: its value and where that comes from.
func setting(t *testing.T, s *stack.Stack, app, key string) string {
	t.Helper()
	c, err := s.Config(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range c.Apps {
		for _, k := range a.Settings {
			if a.Name == app && k.Key == key {
				return fmt.Sprint(k.Value, " ", k.Origin)
			}
		}
	}
	t.Fatalf("app %s has no setting %s", app, key)
	return ""
}

func TestPilotRestartsForEverUnlessTheFileSaysOtherwise(t *testing.T) {
	for _, c := range []struct{ file, profile, restarts, delay string }{
		{"apps: [{name: web, script: a.js}]", "dev", "10 default", "<nil> default"},
		{"apps: [{name: web, script: a.js}]", "pilot", "-1 profile pilot", "<nil> default"},
		{"apps: [{name: web, script: a.js}]", "prod", "10 default", "<nil> default"},
		{"defaults: {max_restarts: 3, restart_delay: 4s}\napps: [{name: web, script: a.js}]", "pilot", "3 defaults", "4s defaults"},
		{"apps: [{name: web, script: a.js, max_restarts: 4}]", "pilot", "4 app", "<nil> default"},
		{"apps: [{name: web, script: a.js, max_restarts: null}]", "pilot", "10 default", "<nil> default"},
		{"defaults: {max_restarts: 3}\napps: [{name: web, script: a.js}]\nprofiles: {pilot: {defaults: {max_restarts: -1}}}", "pilot", "-1 profile defaults", "<nil> default"},
	} {
		s, _ := loadApp(t, c.profile, c.file)
		if got := setting(t, s, "web", "max_restarts"); got != c.restarts {
			t.Errorf("%s\n%s: max_restarts is %s, want %s", c.file, c.profile, got, c.restarts)
		}
		if got := setting(t, s, "web", "restart_delay"); got != c.delay {
			t.Errorf("%s\n%s: restart_delay is %s, want %s", c.file, c.profile, got, c.delay)
		}
	}
}

func TestPilotWatchesWhatItsOverlayNames(t *testing.T) {
	const ignored = `app "web": watch is ignored in the profile pilot; if it is meant there, write it into profiles.pilot.apps.web`
	for _, c := range []struct{ file, profile, watch, warning string }{
		{"apps: [{name: web, script: a.js, watch: true}]", "dev", "true app", ""},
		{"apps: [{name: web, script: a.js, watch: true}]", "pilot", "false profile pilot", ignored},
		{"apps: [{name: web, script: a.js, watch: [src]}]", "pilot", "false profile pilot", ignored},
		{"defaults: {watch: true}\napps: [{name: web, script: a.js}]", "pilot", "false profile pilot", ignored},
		{"defaults: {watch: true}\napps: [{name: web, script: a.js, watch: false}]", "pilot", "false app", ""},
		{"apps: [{name: web, script: a.js, watch: true}]\nprofiles: {dev: {defaults: {watch: true}}}", "pilot", "false profile pilot", ignored},
		{"apps: [{name: web, script: a.js, watch: true}]\nprofiles: {pilot: {defaults: {watch: false}}}", "pilot", "false profile defaults", ""},
		{"apps: [{name: web, script: a.js, watch: true}]\nprofiles: {pilot: {defaults: {watch: true}}}", "pilot", "true profile defaults", ""},
		{"apps: [{name: web, script: a.js}]\nprofiles: {pilot: {apps: {web: {watch: [src]}}}}", "pilot", "[src] profile app", ""},
	} {
		s, _ := loadApp(t, c.profile, c.file)
		if got := setting(t, s, "web", "watch"); got != c.watch {
			t.Errorf("%s\n%s: watch is %s, want %s", c.file, c.profile, got, c.watch)
		}
		if got := strings.Join(s.Warnings, "\n"); got != c.warning {
			t.Errorf("%s\n%s: the warnings are %q, want %q", c.file, c.profile, got, c.warning)
		}
	}
}

func TestPilotPublishesOnThisHostAlone(t *testing.T) {
	dir := write(t, map[string]string{"ecosystem.yaml": "compose: compose.yaml", "compose.yaml": `
services:
  a:
    image: x
    ports:
      - "6380:6379"
      - "6390-6391:6379-6380"
      - "5353:53/udp"
      - "7000"
      - "0.0.0.0:8000:80"
      - "192.168.1.2:8001:80"
      - "[::]:8002:80"
      - {target: 90, published: "9000"}
      - {target: 91, published: "9001", host_ip: 0.0.0.0}
      - {target: 92, published: "9002-9003", protocol: udp}
  unpublished: {image: x, expose: [6379]}
`})
	published := func(profile string) []string {
		s, err := stack.Load(context.Background(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		if ports := s.Compose.Services["unpublished"].Ports; len(ports) != 0 {
			t.Errorf("%s publishes %v", profile, ports)
		}
		var out []string
		for _, p := range s.Compose.Services["a"].Ports {
			out = append(out, fmt.Sprintf("%s|%s>%d/%s", p.HostIP, p.Published, p.Target, p.Protocol))
		}
		return out
	}
	named := []string{"0.0.0.0|8000>80/tcp", "192.168.1.2|8001>80/tcp", "::|8002>80/tcp"}
	open := []string{"|6380>6379/tcp", "|6390>6379/tcp", "|6391>6380/tcp", "|5353>53/udp", "|>7000/tcp"}
	open = append(append(open, named...), "|9000>90/tcp", "0.0.0.0|9001>91/tcp", "|9002-9003>92/udp")
	var local []string
	for _, port := range open {
		if strings.HasPrefix(port, "|") {
			port = "127.0.0.1" + port
		}
		local = append(local, port)
	}
	for profile, want := range map[string][]string{"dev": open, "pilot": local, "prod": open} {
		if diff := cmp.Diff(want, published(profile)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", profile, diff)
		}
	}
}

// What `devstack config --profile pilot` says of the sample: nothing of it is reachable from outside.
func TestTheSampleInPilot(t *testing.T) {
	s, err := stack.Load(context.Background(), stack.Options{File: "../ecosystem.yaml", Profile: "pilot"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Config(false)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(c.Compose)
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Ports []struct {
				HostIP string `json:"host_ip"`
			}
		}
	}
	if err := json.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"redis", "postgres"} {
		if ports := compose.Services[name].Ports; len(ports) != 1 || ports[0].HostIP != "127.0.0.1" {
			t.Errorf("%s publishes %+v", name, ports)
		}
	}
	if len(s.Warnings) != 0 {
		t.Errorf("warnings %q", s.Warnings)
	}
	if got := setting(t, s, "orchestrator", "max_restarts"); got != "10 defaults" {
		t.Errorf("max_restarts is %s: the file's own defaults win", got)
	}
}
