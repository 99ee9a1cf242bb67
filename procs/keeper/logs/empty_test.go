package logs

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEmptyLogTakesTheRotatedOnesToo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web-out.log")
	backup := filepath.Join(dir, "web-out-2026-01-02T03-04-05.006.log")
	other := filepath.Join(dir, "web-out-1.log") // another instance's
	for _, p := range []string{path, backup, other} {
		if err := os.WriteFile(p, []byte("line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := EmptyLog(dir, path); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() != 0 {
		t.Errorf("the log: %v, %v", fi, err)
	}
	if _, err := os.Stat(backup); !os.IsNotExist(err) {
		t.Errorf("the rotated file: %v", err)
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "line\n" {
		t.Errorf("another instance's log is %q, %v", data, err)
	}
	if err := EmptyLog(dir, filepath.Join(dir, "never", "written.log")); err != nil {
		t.Errorf("a log that is not there: %v", err)
	}
}

func TestAnEmptiedLogGoesOnAtItsBeginning(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web-out.log")
	d := &disk{path: path, max: defaultMaxSize, stateDir: dir, out: newFile(NewRecorder(dir, 0, nil), path, 0, 0).disk.out}
	s := &Stream{}
	for _, line := range []string{"first\n", "second\n"} {
		if _, err := d.write(chunk{data: []byte(line), from: s}); err != nil {
			t.Fatal(err)
		}
	}
	if err := EmptyLog(dir, path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.write(chunk{data: []byte("third\n"), from: s}); err != nil {
		t.Fatal(err)
	}
	if err := d.out.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "third\n" {
		t.Errorf("the log is %q, %v", data, err)
	}
}
