package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/bench/freeport"
)

// The Go program and the YAML of docs/zero-downtime.md work as they stand there: whoever connects is answered through a
// restart, a reload and a crash, until the program is stopped.
func TestTheDocumentedGoProgram(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	port := freeport.Get(t)
	p.write("main.go", documented(t, "go"))
	build := exec.Command("go", "build", "-o", filepath.Join("bin", "server"), "main.go")
	build.Dir = p.dir
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build what is documented: %v\n%s", err, output)
	}
	p.write("ecosystem.yaml", "apps:\n"+strings.Replace(documented(t, "yaml"), "8080", strconv.Itoa(port), 1))
	p.must("up")
	if d, want := p.must("describe", "server"), fmt.Sprintf("*:%d\n", port); !strings.Contains(d, want) {
		t.Errorf("describe does not name the held socket %s:\n%s", want, d)
	}
	pid := pidAt(t, port)
	for _, command := range []string{"restart", "reload"} {
		leave := visit(t, port)
		p.must(command, "server")
		leave()
		before := pid
		if pid = pidAt(t, port); pid == before || pid != pids(p.ps())["server"] {
			t.Errorf("after %s pid %d answers, before it did %d:\n%s", command, pid, before, p.must("ps"))
		}
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of a killed process", func() (bool, any) {
		err := syscall.Kill(pid, 0)
		return errors.Is(err, syscall.ESRCH), err
	})
	if after := pidAt(t, port); after == pid {
		t.Errorf("pid %d answers after its death", pid)
	}
	p.must("stop")
	if answer, err := ask(t.Context(), port); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the port of a stopped program: %q, %v", answer, err)
	}
}

// documented is the one block of code in docs/zero-downtime.md that is written in a language.
func documented(t *testing.T, language string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, "docs", "zero-downtime.md"))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(content), "```"+language+"\n")
	if len(parts) != 2 {
		t.Fatalf("%d blocks of %s", len(parts)-1, language)
	}
	block, _, _ := strings.Cut(parts[1], "```\n")
	return block
}

// ask is the answer on a connection of its own.
func ask(ctx context.Context, port int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(body)), err
}

// pidAt is the pid that a server answers with.
func pidAt(t *testing.T, port int) int {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	answer, err := ask(ctx, port)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(answer)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// visit asks again and again; leave ends that and fails the test if anybody was not answered.
func visit(t *testing.T, port int) (leave func()) {
	t.Helper()
	leaving, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var failed error
		for asked := 0; ; asked++ {
			select {
			case <-leaving:
				if asked == 0 {
					failed = errors.New("nobody asked")
				}
				ended <- failed
				return
			default:
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			_, err := ask(ctx, port)
			cancel()
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("request %d: %w", asked, err))
			}
		}
	}()
	return func() {
		t.Helper()
		close(leaving)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
