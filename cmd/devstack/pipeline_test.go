package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// agents are the agents of the sample in the order in which a pipeline passes through them.
var agents = []string{"scaffold", "validation", "e2e", "integration", "deployment"}

// ready makes sure, as `make test` does, that an engine, the images and the compiled sample are there.
var ready = sync.OnceValue(func() error { return setUp("docker") })

// setUp runs the project's own script for a kind of services.
func setUp(kind string) error {
	cmd := exec.Command("scripts/setup")
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "INFRA="+kind)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/setup: %w\n%s", err, output)
	}
	return nil
}

const sample = repository + "/examples/agentic-sdlc"

// newSample makes a project that is the sample stack: its own files, with the compiled packages behind a symlink.
func newSample(t *testing.T) *project {
	t.Helper()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.writeSample()
	return p
}

// writeSample makes the project the sample stack.
func (p *project) writeSample() {
	p.t.Helper()
	t := p.t
	for name, as := range map[string]string{"compose.yaml": "compose.yaml", "ecosystem.yaml": "ecosystem.yaml", ".env.example": ".env"} {
		content, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		if as == ".env" {
			content = append([]byte(p.settings()), content...)
		}
		p.write(as, string(content))
	}
	packages, err := filepath.Abs(sample)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "examples"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(packages, filepath.Join(p.dir, "examples/agentic-sdlc")); err != nil {
		t.Fatal(err)
	}
}

// pipeline is the orchestrator's answer to GET /pipelines/:id.
type pipeline struct {
	ID     string
	Status string
	Tasks  []struct {
		Agent, Status string
		Attempts      int
	}
}

// postPipeline starts a pipeline and returns its id.
func (p *project) postPipeline(name string) string {
	p.t.Helper()
	body := strings.NewReader(`{"name":"` + name + `"}`)
	resp, err := http.Post(p.orchestrator("/pipelines"), "application/json", body)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var made pipeline
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusAccepted || made.ID == "" {
		p.t.Fatalf("POST /pipelines: %s, %+v, %v", resp.Status, made, err)
	}
	return made.ID
}

// getPipeline looks at a pipeline; while the stack repairs itself the answer may be an error.
func (p *project) getPipeline(id string) (pipeline, error) {
	resp, err := http.Get(p.orchestrator("/pipelines/" + id))
	if err != nil {
		return pipeline{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return pipeline{}, fmt.Errorf("GET /pipelines/%s: %s", id, resp.Status)
	}
	var got pipeline
	return got, json.NewDecoder(resp.Body).Decode(&got)
}

func (p *project) orchestrator(path string) string {
	return fmt.Sprintf("http://localhost:%d%s", p.orchestratorPort, path)
}

// completes waits until the pipeline has passed through all agents, each exactly once, in order.
func (p *project) completes(id string) {
	p.t.Helper()
	waitFor(p.t, "pipeline "+id+" completed", func() (bool, any) {
		got, err := p.getPipeline(id)
		if got.Status == "failed" {
			p.t.Fatalf("the pipeline failed: %+v", got)
		}
		return err == nil && got.Status == "completed", fmt.Sprintf("%+v %v", got, err)
	})
	if got := p.resultRows(id); !slices.Equal(got, agents) {
		p.t.Errorf("Postgres holds results of %v, not of %v", got, agents)
	}
}

// resultRows are the agents whose results for the pipeline are in Postgres, in the order of their tasks.
func (p *project) resultRows(id string) []string {
	p.t.Helper()
	db := p.postgres()
	defer func() { _ = db.Close(context.Background()) }()
	rows, err := db.Query(p.t.Context(), `SELECT r.agent FROM results r JOIN tasks t USING (pipeline_id, agent)
		WHERE r.pipeline_id = $1 AND t.status = 'completed' ORDER BY t.position`, id)
	if err != nil {
		p.t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// postgres connects as the app does: its user, over TCP, at the first try.
func (p *project) postgres() *pgx.Conn {
	p.t.Helper()
	return p.postgresAs("agentic", "agentic_dev", "agentic_sdlc")
}

func (p *project) postgresAs(user, password, database string) *pgx.Conn {
	p.t.Helper()
	db, err := pgx.Connect(p.t.Context(), fmt.Sprintf("postgresql://%s:%s@localhost:%d/%s", user, password, p.postgresPort, database))
	if err != nil {
		p.t.Fatal(err)
	}
	return db
}
