package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/infra"
)

// home is a directory with a docker configuration that knows one context.
func home(t *testing.T, context, host string) string {
	t.Helper()
	dir := t.TempDir()
	sum := sha256.Sum256([]byte(context))
	meta := filepath.Join(dir, ".docker", "contexts", "meta", hex.EncodeToString(sum[:]))
	if err := os.MkdirAll(meta, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		filepath.Join(meta, "meta.json"):             fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":{"Host":%q,"SkipTLSVerify":false}}}`, context, host),
		filepath.Join(dir, ".docker", "config.json"): fmt.Sprintf(`{"currentContext":%q}`, context),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConnectFindsTheEngineOfTheDockerCommand(t *testing.T) {
	const socket = "unix:///var/run/docker.sock"
	nowhere := "unix://" + filepath.Join(t.TempDir(), "nowhere.sock")
	for _, test := range []struct {
		name    string
		environ []string
		wrong   string // what the error says; empty: connected
	}{
		{"the default", []string{"HOME=" + t.TempDir()}, ""},
		{"DOCKER_HOST", []string{"DOCKER_HOST=" + socket}, ""},
		{"DOCKER_HOST beats the context", []string{"HOME=" + home(t, "far", nowhere), "DOCKER_HOST=" + socket}, ""},
		{"the current context", []string{"HOME=" + home(t, "near", socket)}, ""},
		{"DOCKER_CONTEXT beats the current one", []string{"HOME=" + home(t, "far", nowhere), "DOCKER_CONTEXT=default"}, ""},
		{"a context of another configuration", []string{"HOME=/nowhere", "DOCKER_CONFIG=" + filepath.Join(home(t, "near", socket), ".docker")}, ""},
		{"an engine that does not answer", []string{"DOCKER_HOST=" + nowhere}, nowhere},
		{"a context that does not answer", []string{"HOME=" + home(t, "far", nowhere)}, nowhere},
		{"a context that does not exist", []string{"HOME=" + t.TempDir(), "DOCKER_CONTEXT=lost"}, `the docker context "lost"`},
		{"an engine elsewhere", []string{"DOCKER_HOST=tcp://10.1.2.3:2375"}, "not on this host"},
		{"an engine behind ssh", []string{"HOME=" + home(t, "far", "ssh://me@example.com")}, "not on this host"},
	} {
		d, err := Connect(t.Context(), test.environ, slog.New(slog.DiscardHandler))
		if test.wrong == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			d.Close()
			continue
		}
		var e *infra.Error
		if !errors.As(err, &e) || e.Kind != infra.NoEngine || !strings.Contains(e.Message, test.wrong) || e.Hint == "" {
			t.Errorf("%s: %#v, want no engine, with %q and a hint", test.name, err, test.wrong)
		}
	}
}

func TestRemote(t *testing.T) {
	for host, want := range map[string]bool{
		"unix:///var/run/docker.sock": false, "npipe:////./pipe/docker_engine": false, "tcp://127.0.0.1:2375": false, "tcp://localhost:2375": false,
		"tcp://[::1]:2375": false, "tcp://10.0.0.1:2376": true, "tcp://docker.example.com:2376": true, "ssh://me@localhost": true,
	} {
		if got := remote(host); got != want {
			t.Errorf("remote(%q) = %t, want %t", host, got, want)
		}
	}
}
