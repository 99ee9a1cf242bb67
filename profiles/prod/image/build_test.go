package image

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run runs a program and is its output; what it says on the side is in the failure alone.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var side strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &side
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, side.String())
	}
	return strings.TrimSpace(string(out))
}

// The sample's image is built by the engine of this machine, even one without BuildKit and a registry, from a workspace
// with secrets in it. It has none of them and no sources, and runs as ECS, Kubernetes and Compose will run it.
func TestTheSampleIsBuiltAndRuns(t *testing.T) {
	dir := copySample(t, nil)
	secrets := []string{".env", "packages/orchestrator/.env.local", "packages/shared/key.pem"}
	for _, name := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("X=canary-of-image-test"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, _ := sampleModel(t)
	files, _, err := Render(m, Options{Workspace: look(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	// The ignore file is left away: without it, too, no secret gets into an image.
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), files[0].Data, 0o644); err != nil {
		t.Fatal(err)
	}
	base := run(t, "../../../scripts/node-base")
	image := "devstack-image-test:" + filepath.Base(filepath.Dir(dir))
	run(t, "docker", "build", "-q", "--build-arg", "BUILD_IMAGE="+base, "--build-arg", "RUNTIME_IMAGE="+base, "--target", "orchestrator", "-t", image, dir)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", image).Run() })

	if found := run(t, "docker", "run", "--rm", "--network", "none", image, "sh", "-c", "grep -rl canary-of-image-test /app; exit 0"); found != "" {
		t.Errorf("secrets in the image: %s", found)
	}
	own := run(t, "docker", "run", "--rm", "--network", "none", image, "find", "/app", "-name", "node_modules", "-prune", "-o", "-type", "f", "-print")
	for _, file := range strings.Fields(own) {
		if !strings.HasSuffix(file, ".js") && !strings.HasSuffix(file, "/package.json") {
			t.Errorf("%s is in the image", file)
		}
		if !strings.HasPrefix(file, "/app/package") || strings.Contains(file, "/agents/") {
			t.Errorf("%s is no part of the orchestrator", file)
		}
	}
	modules := run(t, "docker", "run", "--rm", "--network", "none", image, "ls", "/app/node_modules", "/app/node_modules/@agentic-sdlc")
	if strings.Contains(modules, "typescript") || strings.Contains(modules, "agent\n") || !strings.Contains(modules, "shared") {
		t.Errorf("node_modules has\n%s", modules)
	}
	serve(t, image)
}

// serve runs the image locked down, asks it for its health, and stops it.
func serve(t *testing.T, image string) {
	t.Helper()
	id := run(t, "docker", "run", "-d", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "10001:10001",
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "-e", "PORT=3000", "-e", "ANTHROPIC_API_KEY=none",
		"-e", "DATABASE_URL=postgres://127.0.0.1:1/none", "-e", "REDIS_URL=redis://127.0.0.1:1", image)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-fv", id).Run() })

	const wait = `const ask = () => fetch('http://127.0.0.1:3000/healthz').then(r => process.exit(r.status === 200 ? 0 : 1), () => setTimeout(ask, 50)); ask()`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", "exec", id, "node", "-e", wait).CombinedOutput(); err != nil {
		t.Fatalf("it does not answer: %v\n%s\n%s", err, out, run(t, "docker", "logs", id))
	}
	if got := run(t, "docker", "inspect", "-f", "{{.Config.User}} {{.Config.StopSignal}} {{.Config.Healthcheck}} {{len .Mounts}}", id); got != "10001:10001 SIGTERM <nil> 0" {
		t.Errorf("user, signal, healthcheck and volumes are %q", got)
	}
	run(t, "docker", "stop", "-t", "10", id)
	if code := run(t, "docker", "inspect", "-f", "{{.State.ExitCode}}", id); code != "0" {
		t.Errorf("it ended with %s after SIGTERM", code)
	}
}
