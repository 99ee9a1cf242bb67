package pilot_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestMain removes the executables that executables has built.
func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

var built = filepath.Join(os.TempDir(), fmt.Sprintf("devstack-pilot-%d", os.Getpid()))

// release is a version of the executables, built once per test run, with what does harm and what asks under load, as an
// archive.
func release(version string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		dir := filepath.Join(built, version)
		for from, packages := range map[string][]string{
			repository: {"./cmd/devstack", "./cmd/devstackd", "./bench/recovery"},
			".":        {"./asker"},
		} {
			build := exec.Command("go", append([]string{"build", "-trimpath", "-ldflags", "-s -w -X devstack/daemon/api.linked=" + version, "-o", dir + "/"}, packages...)...)
			build.Dir, build.Env = from, append(os.Environ(), "CGO_ENABLED=0")
			if output, err := build.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("cannot build the executables: %w\n%s", err, output)
			}
		}
		return archive(dir, ".")
	})
}

var first, second = release("v1"), release("v2")

// project is the sample, compiled and with its packages, as it is rolled out: no source of another program is in it.
var project = sync.OnceValues(func() ([]byte, error) {
	if _, err := script("setup"); err != nil {
		return nil, err
	}
	return archive(repository, "compose.yaml", "ecosystem.yaml", ".env.example", "examples/agentic-sdlc")
})

// archive packs files and whole directories.
func archive(root string, paths ...string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, path := range paths {
		err := filepath.WalkDir(filepath.Join(root, path), func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return pack(w, root, file, d)
		})
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func pack(w *tar.Writer, root, file string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	if header.Name, err = filepath.Rel(root, file); err != nil {
		return err
	}
	header.Mode |= 0o444 // a pilot's user is another one than who made the files
	if err := w.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// at is where the sample is on the machine.
const at = "/opt/agentic-sdlc"

// withExecutables puts a release into dir.
func (m *vm) withExecutables(release func() ([]byte, error), dir string) {
	m.t.Helper()
	data, err := release()
	if err != nil {
		m.t.Fatal(err)
	}
	m.unpack(bytes.NewReader(data), dir)
}

// withSample puts the sample on the machine; settings are lines of its .env.
func (m *vm) withSample(settings ...string) {
	m.t.Helper()
	data, err := project()
	if err != nil {
		m.t.Fatal(err)
	}
	m.unpack(bytes.NewReader(data), at)
	m.write(at+"/.env", strings.Join(settings, "\n")+"\n")
}
