package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// healthy looks at a workload's containers when the stack has done its work.
func (p *project) healthy(ctx context.Context, w prod.Workload) {
	ids := p.containers(ctx, w.Name)
	switch {
	case w.Kind == prod.Cron:
		p.add(w.Name, "healthy", NotProven, 0, "it runs at its times only (%s)", w.Schedule.Expression)
		return
	case w.Replicas == 0:
		p.add(w.Name, "healthy", NotProven, 0, "autostart: false")
		return
	case len(ids) == 0:
		p.add(w.Name, "healthy", Failed, 0, "it has no container")
		return
	}
	for _, id := range ids {
		c, err := inspect(ctx, id)
		health := "runs; the definition has no health check"
		if c.State.Health != nil {
			health = c.State.Health.Status
		}
		switch {
		case err != nil:
			p.add(w.Name, "healthy", Failed, 0, "%v", err)
		case w.Kind == prod.Job && c.State.Status == "exited" && c.State.ExitCode == 0:
			p.add(w.Name, "healthy", Passed, c.State.FinishedAt.Sub(c.State.StartedAt), "ran to its end")
		case !c.State.Running, c.State.Health != nil && health != "healthy":
			log, _ := dockerBoth(ctx, "logs", "--tail", "5", id)
			p.add(w.Name, "healthy", Failed, 0, "%s, %s, exit code %d, memory ran out: %v%s", c.State.Status, health, c.State.ExitCode, c.State.OOMKilled, lastLines(log, 5))
		default:
			if took := p.started[w.Name]; took > 0 {
				health += fmt.Sprintf(", answered %.1f s after its start: %s is a start_period for that, it has %s", took.Seconds(), suggest(took), w.Probe.StartPeriod)
			}
			p.add(w.Name, "healthy", Passed, p.started[w.Name], "%s, %d restarts", health, c.RestartCount)
		}
	}
}

// suggest is three times what was measured, on a machine that production's may be slower than, in whole seconds from 5 on.
func suggest(took time.Duration) time.Duration {
	return max(5*time.Second, (3 * took).Round(time.Second))
}

// environment compares what the process itself has with the model: all of it, and nothing but it, the image's own
// variables, and those that the engine adds.
func (p *project) environment(ctx context.Context, w prod.Workload) {
	ids := p.containers(ctx, w.Name)
	if !p.service(w) || len(ids) == 0 {
		return
	}
	began := time.Now()
	seen, err := processEnvironment(ctx, w, ids[0])
	if err != nil {
		p.add(w.Name, "environment", Failed, time.Since(began), "%v", err)
		return
	}
	image, err := imageEnvironment(ctx, p.Images[w.App])
	if err != nil {
		p.add(w.Name, "environment", Failed, time.Since(began), "%v", err)
		return
	}
	verdict, detail := judgeEnvironment(w, p.Secrets, seen, image, p.excused(w))
	p.add(w.Name, "environment", verdict, time.Since(began), "%s", detail)
}

// excused are the variables that the report says are otherwise.
func (p *project) excused(w prod.Workload) []string {
	var out []string
	for _, e := range p.Export.Report.Entries {
		if name, ok := strings.CutPrefix(e.Key, "env."); ok && e.Subject == prod.AppSubject(w.App) && e.Verdict != prod.IsMapped {
			out = append(out, name)
		}
	}
	return out
}

// judgeEnvironment says which variables differ, by name: a value may be a secret.
func judgeEnvironment(w prod.Workload, secrets, seen, image map[string]string, excused []string) (Verdict, string) {
	want := map[string]string{}
	for _, v := range w.Config {
		want[v.Name] = v.Value
	}
	for _, s := range w.Secrets {
		want[s.Name] = secrets[s.Name]
	}
	var wrong, added []string
	for name, value := range want {
		if got, ok := seen[name]; !slices.Contains(excused, name) && (!ok || got != value) {
			wrong = append(wrong, name+" is missing or has another value")
		}
	}
	for name, value := range seen {
		if _, ok := want[name]; ok {
			continue
		}
		if image[name] != value && !slices.Contains([]string{"HOSTNAME", "HOME", "PATH"}, name) && !slices.Contains(excused, name) {
			wrong = append(wrong, name+" is in no definition")
		}
		added = append(added, name)
	}
	slices.Sort(wrong)
	slices.Sort(added)
	if len(wrong) > 0 {
		return Failed, strings.Join(wrong, ", ")
	}
	return Passed, fmt.Sprintf("%d variables as declared, %d of them secrets; besides them only %s", len(want), len(w.Secrets), strings.Join(added, ", "))
}

// environScript is the environment of the process whose command is the workload's, else of process 1.
const environScript = `
const fs = require('fs'), read = (p, f) => { try { return fs.readFileSync('/proc/' + p + '/' + f, 'latin1') } catch { return '' } }
const argv = process.argv.slice(1).join('\0') + '\0'
const pid = fs.readdirSync('/proc').filter(p => /^\d+$/.test(p)).sort((a, b) => a - b).find(p => read(p, 'cmdline') === argv) ?? 1
process.stdout.write(JSON.stringify(fs.readFileSync('/proc/' + pid + '/environ').toString('base64')))`

func processEnvironment(ctx context.Context, w prod.Workload, id string) (map[string]string, error) {
	if !w.HasNode() {
		out, err := docker(ctx, "exec", id, "cat", "/proc/1/environ")
		return environment(strings.Split(out, "\x00")), err
	}
	out, err := docker(ctx, append([]string{"exec", id, "node", "-e", environScript, "--"}, w.Command...)...)
	if err != nil {
		return nil, err
	}
	var raw []byte
	if err := json.Unmarshal([]byte(out), &raw); err != nil {
		return nil, err
	}
	return environment(strings.Split(string(raw), "\x00")), nil
}

func imageEnvironment(ctx context.Context, image string) (map[string]string, error) {
	out, err := docker(ctx, "image", "inspect", "-f", "{{json .Config.Env}}", image)
	if err != nil {
		return nil, err
	}
	var list []string
	err = json.Unmarshal([]byte(out), &list)
	return environment(list), err
}

// environment is NAME=VALUE as a map.
func environment(list []string) map[string]string {
	out := map[string]string{}
	for _, line := range list {
		if name, value, ok := strings.Cut(line, "="); ok {
			out[name] = value
		}
	}
	return out
}
