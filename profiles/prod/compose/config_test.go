package compose

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dockerCompose runs docker compose, as scripts/compose builds it, in a directory with an export and with nothing else in
// the environment. It asks no engine.
func dockerCompose(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	script, err := filepath.Abs("../../../scripts/compose")
	if err != nil {
		t.Fatal(err)
	}
	path, err := exec.CommandContext(t.Context(), script).Output()
	if err != nil {
		t.Fatalf("cannot build docker compose: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), strings.TrimSpace(string(path)), args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A filled-in env.example as .env is all that docker compose needs; left as it is, docker compose names what is missing.
func TestDockerComposeConfig(t *testing.T) {
	const value = `p$a${X}#"w" \n` + "\nend"
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, _ := c.model(t)
			files, _ := render(t, m, c.options)
			dir := t.TempDir()
			write := func(name string, data []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("compose.yaml", files[0].Data)
			write(".env", files[1].Data)
			if out, err := dockerCompose(t, dir, "config", "-q"); err == nil || !strings.Contains(out, "required variable") {
				t.Errorf("with nothing set: %v\n%s", err, out)
			}
			var filled strings.Builder
			for line := range strings.Lines(string(files[1].Data)) {
				if strings.HasSuffix(line, "_IMAGE=\n") {
					filled.WriteString(strings.TrimSuffix(line, "\n") + "example/image@sha256:" + strings.Repeat("0", 64) + "\n")
				} else if name, ok := strings.CutSuffix(line, "=\n"); ok {
					filled.WriteString(strings.TrimPrefix(name, "# ") + "='" + value + "'\n")
				} else {
					filled.WriteString(line)
				}
			}
			write(".env", []byte(filled.String()))
			out, err := dockerCompose(t, dir, "config", "--format", "json")
			if err != nil {
				t.Fatalf("docker compose config: %v\n%s", err, out)
			}
			var project struct {
				Services map[string]struct{ Environment map[string]string }
			}
			if err := json.Unmarshal([]byte(out), &project); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for name, s := range project.Services {
				if got, has := s.Environment["DATABASE_URL"]; has && strings.ReplaceAll(got, "$$", "$") != value {
					t.Errorf("%s gets DATABASE_URL=%q", name, got)
				}
			}
			if len(project.Services) < 6 {
				t.Errorf("docker compose sees %d services", len(project.Services))
			}
		})
	}
}
