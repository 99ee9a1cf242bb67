package main_test

import (
	"os"
	"path/filepath"
	"strings"
)

const build = "npm run build --prefix examples/agentic-sdlc"

// guideSteps are the commands of docs/guide.md, section by section.
func guideSteps() []guideStep {
	var all []guideStep
	for _, section := range [][]guideStep{
		quickStart(), processControl(), monitoring(), codeChanges(), logFiles(), troubleshooting(), advancedUsage(), quickReference(),
	} {
		all = append(all, section...)
	}
	return all
}

func quickStart() []guideStep {
	return []guideStep{
		{command: "cp .env.example .env"},
		{command: "devstack preflight", says: []string{"ports", "required environment"}},
		{command: "devstack up", says: []string{"redis", "agent-deployment", "http://localhost:"}, after: everything},
		replaces(guideStep{command: "devstack up", after: everything}),
		{command: "devstack logs", follows: true, says: []string{"orchestrator", "agent-e2e", "redis", "postgres"}},
		{command: "devstack status", says: []string{"postgres", "healthy", "orchestrator", "online", "MEM"}},
		{command: "devstack stop", after: containersAlone},
		{command: "devstack down", after: (*project).nothingRuns},
	}
}

func processControl() []guideStep {
	stopped := []string{"orchestrator=stopped", "scaffold=stopped", "validation=stopped", "e2e=stopped", "integration=stopped", "deployment=stopped"}
	return []guideStep{
		{command: "devstack start", after: everything},
		{command: "devstack stop", after: statuses(stopped...)},
		{command: "devstack restart", after: everything},
		replaces(guideStep{command: "devstack reload", says: []string{"holds no socket of agent-scaffold"}, after: everything}, allApps()...),
		{command: "devstack delete all", after: func(p *project) { statuses()(p); containersAlone(p) }},
		{command: "devstack up", after: everything},

		replaces(guideStep{command: "devstack restart orchestrator"}, "orchestrator"),
		replaces(guideStep{command: "devstack restart agent-scaffold agent-e2e"}, "agent-scaffold", "agent-e2e"),
		{command: "devstack stop agent-validation", after: func(p *project) {
			if now := p.process("agent-validation"); now.Status != "stopped" {
				p.t.Errorf("agent-validation: %+v", now)
			}
		}},
		{command: "devstack delete agent-e2e", after: statuses(
			"orchestrator=online", "scaffold=online", "validation=stopped", "integration=online", "deployment=online")},
		{command: "devstack describe orchestrator", says: []string{"orchestrator (process)", "orchestrator-out.log", "restarts", "http 200", "held sockets"}},
		{command: "devstack up", after: everything},

		replaces(guideStep{command: "devstack restart 'agent-*'", after: everything}, agentsOnly()...),
		replaces(guideStep{command: "devstack signal SIGCONT agent-deployment", after: everything}),
		{command: "devstack pid orchestrator"},
		{command: "devstack env orchestrator", says: []string{"REDIS_URL", "PORT", "NODE_ENV"}},
		{command: "devstack ping"},
	}
}

func monitoring() []guideStep {
	return []guideStep{
		{command: "devstack status", says: []string{"orchestrator"}},
		{command: "devstack logs", follows: true, says: []string{"orchestrator", "postgres"}},
		{command: "devstack logs orchestrator", follows: true, says: []string{"orchestrator listening on port"}},
		{command: "devstack logs agent-scaffold", follows: true, says: []string{"agent-scaffold"}},
		{command: "devstack logs orchestrator --lines 100", follows: true, says: []string{"orchestrator listening on port"}},
		{command: "devstack logs orchestrator --err", follows: true, says: []string{"only to standard error"}, before: func(p *project) {
			p.appendTo("scripts/logs/orchestrator-error.log", "ERROR said only to standard error\n")
		}},
		{
			command: "devstack logs --no-follow --since 5m --grep pipeline", says: []string{"pipeline"},
			before: func(p *project) { p.completes(p.postPipeline("From the guide")) },
		},
		{command: "devstack monit", screen: true, says: []string{"8 of 8 ready", "orchestrator", "redis"}},
	}
}

func codeChanges() []guideStep {
	return []guideStep{
		{command: "devstack stop", after: containersAlone},
		{command: build, after: built},
		{command: "devstack up", after: everything},
		replaces(guideStep{command: build + " && devstack restart", after: everything}, allApps()...),
		{command: "devstack config", says: []string{"orchestrator", "max_restarts", "restart_delay"}},
	}
}

func built(p *project) {
	p.t.Helper()
	if _, err := os.Stat(filepath.Join(p.dir, "examples/agentic-sdlc/packages/orchestrator/dist/server.js")); err != nil {
		p.t.Error(err)
	}
}

func logFiles() []guideStep {
	return []guideStep{
		{command: "devstack logs --no-follow", says: []string{"orchestrator", "agent-deployment", "redis"}},
		{command: "tail -f scripts/logs/orchestrator-out.log", follows: true, says: []string{"orchestrator listening on port"}, ending: -1},
		{command: "grep ERROR scripts/logs/*.log", says: []string{"scripts/logs/orchestrator-error.log:ERROR said only"}},
		{command: "devstack flush orchestrator", after: func(p *project) {
			for _, name := range []string{"out", "error"} {
				if left := p.read("scripts/logs/orchestrator-" + name + ".log"); left != "" {
					p.t.Errorf("left in the %s log: %s", name, left)
				}
			}
		}},
	}
}

func troubleshooting() []guideStep {
	crash := func(p *project) { killAgent(p) }
	return []guideStep{
		{command: "devstack preflight", says: []string{"required environment"}},
		{command: "devstack why orchestrator", says: []string{"orchestrator"}},
		{command: "devstack describe orchestrator", says: []string{"orchestrator (process)", "exits"}},
		{command: "devstack logs orchestrator --lines 50", follows: true, says: []string{"only to standard error"}, before: func(p *project) {
			p.appendTo("scripts/logs/orchestrator-error.log", "ERROR said only to standard error\n")
		}},
		{command: "devstack health", says: []string{"redis", "postgres", "orchestrator", "agent-e2e"}},
		{command: "docker ps | grep agentic", says: []string{"-redis", "-postgres"}},
		{command: "docker exec agentic-sdlc-redis redis-cli ping", says: []string{"PONG"}},
		{command: "docker exec agentic-sdlc-postgres pg_isready -U agentic", says: []string{"accepting connections"}},
		{command: "devstack logs orchestrator --err --lines 100", follows: true, says: []string{"only to standard error"}},
		{command: "devstack reset orchestrator", after: func(p *project) {
			if n := p.process("orchestrator").Restarts; n != 0 {
				p.t.Errorf("%d restarts after reset", n)
			}
		}},
		{command: "devstack status", says: []string{"MEM"}, before: crash},
		{command: "devstack why agent-scaffold", says: []string{"SIGKILL"}},
		{command: "devstack delete all", after: statuses()},
		{command: "devstack kill", after: func(p *project) {
			if left := append(p.keepers(), p.daemons()...); len(left) > 0 {
				p.t.Errorf("left: %+v", left)
			}
			if running := docker(p.t, "ps", "-q", "--filter", "label=com.docker.compose.project="+p.name); len(strings.Fields(running)) != 2 {
				p.t.Errorf("containers: %s", running)
			}
		}},
		{command: "devstack up --build", after: everything},
		{command: "devstack down -v", after: func(p *project) {
			p.nothingRuns()
			if left := p.labelled("volume"); len(left) > 0 {
				p.t.Errorf("volumes: %v", left)
			}
		}},
		{command: "devstack up", after: everything},
		{command: "devstack up", after: everything}, // Differences from shell scripts
		{command: "devstack stop", after: containersAlone},
	}
}

func advancedUsage() []guideStep {
	instances := func(n int) func(*project) {
		return func(p *project) {
			p.t.Helper()
			online := 0
			for _, row := range p.ps().Processes {
				if row.Name == "agent-scaffold" && row.Ready {
					online++
				}
			}
			if online != n {
				p.t.Errorf("%d instances are ready, not %d", online, n)
			}
		}
	}
	return []guideStep{
		{command: "devstack up", after: everything, before: func(p *project) {
			p.edit("ecosystem.yaml", "- name: orchestrator\n", `- name: orchestrator
    watch: [packages/orchestrator/dist]
    watch_options: {followSymlinks: false, usePolling: false}
    ignore_watch: ['*.map']
`)
		}},
		{command: build, after: func(p *project) {
			waitFor(p.t, "orchestrator restarted for its files", func() (bool, any) {
				now := p.process("orchestrator")
				return now.Ready && now.Exit != nil && now.Exit.Reason == "watch", now
			})
		}},
		{command: "devstack why orchestrator", says: []string{"watch", "dist/"}},
		{command: "devstack scale agent-scaffold 3", after: instances(3)},
		{command: "devstack scale agent-scaffold +1", after: instances(4)},
		{command: "devstack scale agent-scaffold -2", after: instances(2)},
		{command: "devstack stop agent-validation"},
		{command: "devstack save", says: []string{"intent.json", "stopped: agent-validation", "agent-scaffold to 2"}},
		{command: "devstack kill"},
		{command: "devstack resurrect", after: statuses("orchestrator=online", "scaffold=online", "scaffold=online", "validation=stopped",
			"e2e=online", "integration=online", "deployment=online")},
		{command: "devstack up", after: everything},
		{command: "devstack startup --dry-run", says: []string{"resurrect --foreground", "WantedBy=multi-user.target"}},
		{command: "devstack jlist", says: []string{`"pm2_env"`, `"name":"orchestrator"`}},
		{command: "devstack ps --json", says: []string{`"processes"`, `"services"`}},
		{command: "devstack logs orchestrator --json --no-follow", says: []string{`"app_name":"orchestrator"`}},
	}
}

func quickReference() []guideStep {
	return []guideStep{
		{command: "devstack up", after: everything}, // the file's one instance again
		replaces(guideStep{command: "devstack restart", after: everything}, allApps()...),
		{command: "devstack status", says: []string{"orchestrator"}},
		{command: "devstack logs", follows: true, says: []string{"orchestrator", "redis"}},
		{command: "devstack monit", screen: true, says: []string{"8 of 8 ready"}},
		replaces(guideStep{command: "devstack restart orchestrator"}, "orchestrator"),
		{command: "devstack logs agent-scaffold", follows: true, says: []string{"agent-scaffold"}},
		{command: "devstack describe agent-validation", says: []string{"agent-validation (process)"}},
		{command: "devstack logs orchestrator --err --lines 100", follows: true, says: []string{"only to standard error"}},
		{command: "devstack reset orchestrator"},
		{command: "devstack stop", after: containersAlone},
		{command: "devstack delete all", after: statuses()},
		{command: "devstack kill"},
		{command: "devstack up redis postgres", after: func(p *project) { allReady(p.t, onlyServices(p.ps()), 2, 0) }},
		{command: "devstack health redis postgres", says: []string{"redis", "postgres"}},
		{command: "devstack down", after: (*project).nothingRuns},
		{
			command: "devstack import --trust ecosystem.config.js > ecosystem.yaml", says: []string{"vizion"},
			before: func(p *project) {
				p.write("ecosystem.config.js", "module.exports = {apps: [{name: 'web', script: 'server.js', max_memory_restart: '200M', vizion: true}]}\n")
				p.write("server.js", "setInterval(() => {}, 1000)\n")
			},
			after: func(p *project) {
				p.must("up")
				statuses("web=online")(p)
				p.must("down")
			},
		},
	}
}

// appendTo adds to a file of the project, as another program would.
func (p *project) appendTo(name, text string) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}
