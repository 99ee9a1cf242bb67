package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// killed is the exit code of a container that had to be killed.
const killed = 128 + 9

// gracefulStop stops a workload as its definition says: its signal, and its grace before SIGKILL.
func (p *project) gracefulStop(ctx context.Context, w prod.Workload) {
	ids := p.containers(ctx, w.Name)
	if !p.service(w) || len(ids) == 0 || ctx.Err() != nil {
		return
	}
	began := time.Now()
	_, err := p.composeRun(ctx, "stop", p.services[w.Name])
	took := time.Since(began)
	if err != nil {
		p.add(w.Name, "graceful stop", Failed, took, "%v", err)
		return
	}
	for _, id := range ids {
		c, err := inspect(ctx, id)
		if err != nil {
			p.add(w.Name, "graceful stop", Failed, took, "%v", err)
			continue
		}
		if d := c.State.FinishedAt.Sub(began); d > 0 && d < took {
			took = d
		}
		verdict, detail := judgeStop(w, c.State.ExitCode, took)
		p.add(w.Name, "graceful stop", verdict, took, "%s", detail)
	}
}

// judgeStop: a process that handles its signal ends with 0; one that does not is ended by it, at once.
func judgeStop(w prod.Workload, code int, took time.Duration) (Verdict, string) {
	spent := fmt.Sprintf("exit code %d, %.1f s after %s, of %s", code, took.Seconds(), w.Stop.Signal, w.Stop.Grace)
	switch {
	case code == killed:
		return Failed, "killed: " + spent
	case took > w.Stop.Grace:
		return Failed, "too late: " + spent
	case code == 0:
		return Passed, spent
	case code > 128:
		return Passed, spent + ": ended by the signal, without handling it"
	}
	return Failed, spent
}

// noSecrets looks for canaries in what the engine keeps of a workload: its log, and its settings but for the environment,
// where they belong.
func (p *project) noSecrets(ctx context.Context, w prod.Workload) {
	var logs, lines int
	for _, id := range p.containers(ctx, w.Name) {
		log, err := dockerBoth(ctx, "logs", id)
		if err != nil {
			p.add(w.Name, "no secrets", Failed, 0, "cannot read its log: %v", err)
			return
		}
		settings, err := docker(ctx, "inspect", id)
		if err != nil {
			p.add(w.Name, "no secrets", Failed, 0, "%v", err)
			return
		}
		if n := p.canaries.in(withoutEnvironment(settings)) + p.canaries.in(log); n > 0 {
			p.add(w.Name, "no secrets", Failed, 0, "its log or settings contain %d", n)
			return
		}
		logs++
		lines += strings.Count(log, "\n")
	}
	if logs > 0 {
		p.add(w.Name, "no secrets", Passed, 0, "%d lines of log, and its settings but for the environment", lines)
	}
}

// withoutEnvironment is what docker inspect tells of a container, without Config.Env.
func withoutEnvironment(inspected string) string {
	var list []map[string]any
	if json.Unmarshal([]byte(inspected), &list) != nil {
		return inspected
	}
	for _, c := range list {
		if config, ok := c["Config"].(map[string]any); ok {
			delete(config, "Env")
		}
	}
	out, err := json.Marshal(list)
	if err != nil {
		return inspected
	}
	return string(out)
}
