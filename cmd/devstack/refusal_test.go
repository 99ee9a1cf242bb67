package main_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"devstack/daemon/api"
)

// sleeper is an app that needs nothing.
const sleeper = `
apps:
  - name: web
    command: [sleep, "1000"]
`

// databases is a Compose file with the sample's ports.
const databases = `
name: ${STACK_NAME}
services:
  redis:
    image: redis:7-alpine
    ports: ["${REDIS_PORT}:6379"]
  postgres:
    image: postgres:16-alpine
    environment: {POSTGRES_PASSWORD: secret}
    ports: ["${POSTGRES_PORT}:5432"]
`

const withDatabases = "compose: compose.yaml\n" + sleeper

// Each refusal has its exit code, says what is wrong and what to do next, and has started nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files map[string]string
		env   []string
		flags []string
		exit  api.Code
		says  []string
	}{
		{
			name:  "unknown key",
			files: map[string]string{"ecosystem.yaml": sleeper + "    max_restart: 3\n"},
			exit:  api.ExitFiles,
			says:  []string{"ecosystem.yaml:5:5", "max_restart", "max_restarts"},
		},
		{
			name: "dependency cycle",
			files: map[string]string{"ecosystem.yaml": `
apps:
  - {name: hen, command: [sleep, "1000"], depends_on: [egg]}
  - {name: egg, command: [sleep, "1000"], depends_on: [hen]}
`},
			exit: api.ExitFiles,
			says: []string{"ecosystem.yaml:", "cycle", "hen", "egg"},
		},
		{
			name:  "missing file, no build",
			files: map[string]string{"ecosystem.yaml": "apps:\n  - {name: web, script: dist/server.js}\n"},
			exit:  api.ExitEnvironment,
			says:  []string{"dist/server.js", "build"},
		},
		{
			name: "missing file, a build that does not make it",
			files: map[string]string{
				"ecosystem.yaml": "build: {command: echo built nothing, if_missing: true}\napps:\n  - {name: web, script: dist/server.js}\n",
			},
			exit: api.ExitEnvironment,
			says: []string{"dist/server.js", "echo built nothing"},
		},
		{
			name:  "missing environment",
			files: map[string]string{"ecosystem.yaml": "required_env: [FIRST_KEY, PATH, SECOND_KEY]\n" + sleeper},
			exit:  api.ExitEnvironment,
			says:  []string{"FIRST_KEY", "SECOND_KEY", ".env"},
		},
		{
			name:  "no engine",
			files: map[string]string{"ecosystem.yaml": withDatabases, "compose.yaml": databases},
			env:   []string{"DOCKER_HOST=unix:///nonexistent"},
			flags: []string{"--infra", "docker"},
			exit:  api.ExitEngine,
			says:  []string{"/nonexistent", "start"},
		},
		{
			name:  "remote engine",
			files: map[string]string{"ecosystem.yaml": withDatabases, "compose.yaml": databases},
			env:   []string{"DOCKER_HOST=tcp://192.0.2.1:2375"},
			flags: []string{"--infra", "docker"},
			exit:  api.ExitEngine,
			says:  []string{"tcp://192.0.2.1:2375", "not on this host", "DOCKER_HOST"},
		},
		{
			name: "no image",
			files: map[string]string{
				"ecosystem.yaml": withDatabases,
				"compose.yaml":   "name: ${STACK_NAME}\nservices:\n  cache: {image: \"localhost:1/nobody/has:this\"}\n",
			},
			exit: api.ExitEngine,
			says: []string{"localhost:1/nobody/has:this", "docker pull"},
		},
		{
			name:  "broken compose.yaml",
			files: map[string]string{"ecosystem.yaml": withDatabases, "compose.yaml": "services:\n  redis: [\n"},
			exit:  api.ExitFiles,
			says:  []string{"compose.yaml"},
		},
		{
			name: "no files",
			exit: api.ExitFiles,
			says: []string{"ecosystem.yaml"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			for name, content := range c.files {
				p.write(name, content)
			}
			p.refuses(p.runWith(p.dir, c.env, append([]string{"up"}, c.flags...)...), c.exit, c.says...)
		})
	}
}

// A taken port is named with its owner, a process or a container, before anything starts.
func TestRefusesTakenPorts(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.write("ecosystem.yaml", withDatabases)
	p.write("compose.yaml", databases)

	t.Run("by a process", func(t *testing.T) {
		p := p.as(t)
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", p.postgresPort))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		p.refuses(p.run("up"), api.ExitPortTaken, "postgres", fmt.Sprint(p.postgresPort), fmt.Sprint(os.Getpid()), "devstack.test")
	})
	t.Run("by a container", func(t *testing.T) {
		p := p.as(t)
		owner := p.name + "-owner"
		docker(t, "run", "-d", "--name", owner, "-p", fmt.Sprintf("%d:6379", p.postgresPort), "redis:7-alpine")
		defer docker(t, "rm", "-f", "-v", owner)
		p.refuses(p.run("up"), api.ExitPortTaken, "postgres", fmt.Sprint(p.postgresPort), owner)
	})
	t.Run("of an app", func(t *testing.T) {
		p := p.as(t)
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", p.orchestratorPort))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		p.write("ecosystem.yaml", sleeper+fmt.Sprintf("    port: %d\n", p.orchestratorPort))
		p.refuses(p.run("up"), api.ExitPortTaken, "web", fmt.Sprint(p.orchestratorPort), fmt.Sprint(os.Getpid()))
	})
}

// refuses fails the test unless the command ended with the exit code, said all of says, and left nothing running.
func (p *project) refuses(r result, exit api.Code, says ...string) {
	p.t.Helper()
	says = append(says, "error:", "next:")
	if r.code != int(exit) || slices.ContainsFunc(says, func(s string) bool { return !strings.Contains(r.stderr, s) }) {
		p.t.Errorf("want exit code %d and %q on stderr; got %v", exit, says, r)
	}
	p.nothingRuns()
}

// The build makes what is missing, and is not run when nothing is.
func TestUpBuildsWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", `
build: {command: "mkdir -p dist && echo 'setInterval(() => {}, 1000)' > dist/server.js && echo built >> builds", if_missing: true}
apps:
  - {name: web, script: dist/server.js}
`)
	for _, c := range []struct {
		command []string
		builds  int
	}{{[]string{"up"}, 1}, {[]string{"up"}, 1}, {[]string{"up", "--build"}, 2}} {
		p.must(c.command...)
		if builds := strings.Count(p.read("builds"), "built"); builds != c.builds {
			t.Errorf("built %d times after %v, not %d", builds, c.command, c.builds)
		}
		allReady(t, p.ps(), 0, 1)
	}
}

// An app that crashes at boot is the cause that up names, with its last lines and its log; the rest stays up.
func TestUpWithAnAppThatCrashesAtBoot(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("ecosystem.yaml", sleeper+`
  - name: doomed
    command: 'echo opening the pod bay; echo I cannot do that >&2; exit 3'
    max_restarts: 1
    depends_on: [web]
`)
	r := p.run("up")
	for _, want := range []string{"doomed", "I cannot do that", "doomed-error.log", "running"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("up does not say %q: %v", want, r)
		}
	}
	if r.code != int(api.ExitProcess) {
		t.Errorf("up ended with %d, not %d", r.code, api.ExitProcess)
	}
	if web := p.process("web"); web.Status != "online" || !web.Ready {
		t.Errorf("web: %+v", web)
	}
	doomed := p.process("doomed")
	if doomed.Exit == nil || doomed.Exit.Code == nil || *doomed.Exit.Code != 3 || doomed.Restarts != 1 {
		t.Errorf("doomed: %+v, exit %+v", doomed, doomed.Exit)
	}
}
