package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devstack/bench/freeport"
	"devstack/view"
)

// animal is a way to run a program: apps as people have them. @zoo is the folder of testdata/zoo, @npm the one of the packages.
type animal struct {
	name, command string
	stays         bool // what runs it stays when it dies, or ends with 0 then
	portless      bool // it never listens
}

var animals = []animal{
	{name: "node", command: "node @zoo/http.js"},
	{name: "node-options", command: "node --enable-source-maps --max-old-space-size=128 @zoo/http.js"},
	{name: "node-inspect", command: "node --inspect=127.0.0.1:0 @zoo/http.js"},
	{name: "node-watch", command: "node --watch @zoo/http.js", stays: true},
	{name: "express", command: "node @zoo/express.js"},
	{name: "fastify", command: "node @zoo/fastify.mjs"},
	{name: "nest", command: "sh @zoo/later.sh node @npm/dist/nest.mjs"},
	{name: "http2", command: "sh @zoo/later.sh node @npm/http2.js"},
	{name: "cluster", command: "sh @zoo/later.sh node @npm/cluster.js"},
	{name: "fork", command: "node @zoo/fork.js"},
	{name: "tsx", command: "@npm/node_modules/.bin/tsx @zoo/server.ts"},
	{name: "tsx-watch", command: "@npm/node_modules/.bin/tsx watch @zoo/server.ts", stays: true},
	{name: "tsx-import", command: "node --import @npm/node_modules/tsx/dist/loader.mjs @zoo/server.ts"},
	{name: "npx", command: "npx --no-install --prefix @npm tsx @zoo/server.ts"},
	{name: "npm-start", command: "npm start --silent --prefix @zoo"},
	{name: "npm-run", command: "npm run serve --prefix @zoo"},
	{name: "sh", command: "sh -c 'node @zoo/http.js'"},
	{name: "sh-true", command: "node @zoo/http.js; true", stays: true},
	{name: "sh-exec", command: "sh -c 'exec node @zoo/http.js'"},
	{name: "sh-wait", command: "sh -c 'node @zoo/http.js & wait $$!'"},
	{name: "bash-pipe", command: "bash -o pipefail -c 'node @zoo/http.js 2>&1 | cat'"},
	{name: "nohup", command: "nohup node @zoo/http.js"},
	{name: "nice", command: "nice -n 5 node @zoo/http.js"},
	{name: "timeout", command: "timeout 1000 node @zoo/http.js"},
	{name: "env", command: "env -u NODE_OPTIONS node @zoo/http.js"},
	{name: "perl", command: "perl @zoo/server.pl"},
	{name: "go", command: "@zoo/server"},
	{name: "go-wrapped", command: "sh -c '@zoo/server; exit $$?'"},
	{name: "worker", command: "node @zoo/worker.js", portless: true},
	{name: "sleep", command: "sh @zoo/later.sh sleep 1000", portless: true},
}

// fate is what happens to every animal of a zoo.
type fate struct {
	boot, die int    // ms; 0: at once, never
	wrong     bool   // it listens on another port than the declared one
	patience  string // listen_timeout
}

// zoo is a project with every animal as an app of its own port.
func zoo(t *testing.T, f fate, more func(a animal, port int) string) *project {
	t.Helper()
	npm, err := fixtures()
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	dir := filepath.Join(p.dir, "zoo")
	if err := os.CopyFS(dir, os.DirFS("testdata/zoo")); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "server"), filepath.Join(dir, "server.go"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := &strings.Builder{}
	fmt.Fprintf(file, "defaults: {restart_delay: 1m, listen_timeout: %s}\napps:\n", f.patience)
	for _, a := range animals {
		port := freeport.Get(t)
		declared, listens := fmt.Sprintf("port: %d, ", port), ""
		if a.portless {
			declared = ""
		}
		if f.wrong {
			listens = fmt.Sprintf("LISTEN: \"%d\", ", freeport.Get(t))
		}
		command := strings.NewReplacer("@zoo", dir, "@npm", npm).Replace(a.command)
		fmt.Fprintf(file, "  - {name: %s, command: %q, %senv: {%sBOOT: \"%d\", DIE: \"%d\", PACKAGES: %q}}\n",
			a.name, command, declared, listens, f.boot, f.die, filepath.Join(npm, "node_modules"))
		if more != nil {
			file.WriteString(more(a, port))
		}
	}
	p.write("ecosystem.yaml", file.String())
	return p
}

// rows are the processes by name.
func (p *project) rows() map[string]view.Process {
	p.t.Helper()
	rows := map[string]view.Process{}
	for _, row := range p.ps().Processes {
		rows[row.Name] = row
	}
	return rows
}

// Whatever runs a program, it is ready when it listens, not before: a dependent that connects the moment it is launched is never
// refused. DEVSTACK_ROUNDS=18 makes that more than 500 starts.
func TestZooBootsSlowly(t *testing.T) {
	t.Parallel()
	p := zoo(t, fate{boot: 1200, patience: "100s"}, func(a animal, port int) string {
		if a.portless {
			return ""
		}
		return fmt.Sprintf("  - {name: of-%s, command: [bash, zoo/dial.sh], one_shot: true, depends_on: [%[1]s], env: {PORT: \"%d\"}}\n", a.name, port)
	})
	for range rounds(t, 1, 50) {
		if r := p.run("up"); r.code != 0 {
			t.Fatal(r)
		}
		rows := p.rows()
		for _, a := range animals {
			row := rows[a.name]
			switch by := string(row.ReadyBy); {
			case a.portless && by != "unchecked", !a.portless && !strings.HasPrefix(by, "listens :"), !row.Ready, row.Restarts != 0:
				t.Errorf("%s is %s, ready %t by %q, %d restarts", a.name, row.Status, row.Ready, by, row.Restarts)
			}
			if of := rows["of-"+a.name]; !a.portless && of.Status != view.Completed {
				t.Errorf("what depends on %s is %s", a.name, of.Status)
			}
		}
		p.must("down")
	}
}

// What dies before it has listened is named, with how it ended and its log, and what depends on it is not launched.
func TestZooDies(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fate{
		"after 1.5 s": {boot: 600_000, die: 1500, patience: "25s"},
		"after 10 s":  {boot: 600_000, die: 10_000, patience: "25s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := zoo(t, f, nil)
			r := p.run("up")
			if r.code != 7 {
				t.Fatalf("%s", r)
			}
			rows := p.rows()
			for _, a := range animals {
				row, want := rows[a.name], "✗ "+a.name+": exited with code 1 "
				if a.stays {
					want = "✗ " + a.name + ": "
				}
				if row.Ready || !strings.Contains(r.stderr, want) {
					t.Errorf("%s is %s, ready %t by %s, and up does not say %q", a.name, row.Status, row.Ready, row.ReadyBy, want)
				}
			}
			if t.Failed() {
				t.Log(r)
			}
		})
	}
}

// What listens on another port than the declared one is not ready, and both ports are said.
func TestZooListensElsewhere(t *testing.T) {
	t.Parallel()
	p := zoo(t, fate{wrong: true, patience: "25s"}, nil)
	r := p.run("up")
	if r.code != 6 {
		t.Fatal(r)
	}
	rows := p.rows()
	for _, a := range animals {
		row := rows[a.name]
		switch said := strings.Contains(r.stderr, "✗ "+a.name+": "); {
		case a.portless && (!row.Ready || said):
			t.Errorf("%s is %s, ready %t", a.name, row.Status, row.Ready)
		case !a.portless && (row.Ready || !said):
			t.Errorf("%s is %s, ready %t by %s, and up says nothing of it: %t", a.name, row.Status, row.Ready, row.ReadyBy, !said)
		}
	}
	if n := strings.Count(r.stderr, "; it listens on :"); n < len(animals)-2 {
		t.Errorf("%d of %d are told where they listen", n, len(animals)-2)
	}
	if t.Failed() {
		t.Log(r)
	}
}
