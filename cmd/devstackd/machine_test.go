package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devstack/stack"
)

func TestNodeEngine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "package.json")
	if n := nodeEngine(path); n != 0 {
		t.Errorf("no file: %d", n)
	}
	for said, want := range map[string]int{
		">=20": 20, ">= 20.11 <23": 20, "^22.1.0": 22, "~18": 18, "20.x": 20, "v20": 20, "20 || 22": 20, "*": 0, "": 0, "<23": 0, "lts": 0,
	} {
		if err := os.WriteFile(path, []byte(`{"engines": {"node": "`+said+`"}}`), 0o644); err != nil {
			t.Fatal(err)
		}
		if n := nodeEngine(path); n != want {
			t.Errorf("%q: %d, want %d", said, n, want)
		}
	}
}

func TestLogDirs(t *testing.T) {
	st := &stack.Stack{Apps: []stack.App{
		{OutFile: "/opt/acme/logs/a.log", ErrorFile: "/opt/acme/logs/e.log", LogFile: "/srv/all/a.log"},
		{OutFile: "/dev/null", ErrorFile: "/dev/null"},
	}}
	if diff := cmp.Diff([]string{"/opt/acme/logs", "/srv/all"}, logDirs(st)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A line to be copied means the same to a shell.
func TestQuoted(t *testing.T) {
	for _, word := range []string{"plain", "", "a b", "it's", `$HOME "x" \n`, "PATH=/a:/b", "*", "~", "a;b"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoted(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is %s, which a shell reads as %q: %v", word, quoted(word), out, err)
		}
	}
}
