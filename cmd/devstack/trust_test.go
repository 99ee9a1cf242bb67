package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/daemon/api"
)

// Somebody at the terminal is asked once for each content.
func TestTrustIsAskedOnce(t *testing.T) {
	b := newBed(t, nil)
	b.IO.InTTY, b.answer = true, "{}"
	file := filepath.Join(b.dir, "ecosystem.config.js")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	for _, step := range []struct {
		what, answer string
		asked        bool
		code         api.Code
	}{
		{"no answer is no", "", true, api.ExitUsage},
		{"no", "n\n", true, api.ExitUsage},
		{"yes", "y\n", true, api.ExitDone},
		{"not again", "", false, api.ExitDone},
	} {
		b.err.Reset()
		b.IO.In = bytes.NewBufferString(step.answer)
		code := b.run("import", "ecosystem.config.js")
		if asked := strings.Contains(b.err.String(), "[y/N]"); code != step.code || asked != step.asked {
			t.Errorf("%s: ended with %d, asked %v: %s", step.what, code, asked, b.err)
		}
	}
	write("two")
	b.IO.In = &bytes.Buffer{}
	if code := b.run("import", "ecosystem.config.js"); code != api.ExitUsage {
		t.Errorf("a changed file is trusted: %d", code)
	}
	var got api.ImportRequest
	code := b.run("import", "--trust", "-o", "x.yaml", "ecosystem.config.js")
	if err := json.Unmarshal([]byte(b.asked[len(b.asked)-1].body), &got); err != nil {
		t.Fatal(err)
	}
	if want := (api.ImportRequest{File: file, Out: filepath.Join(b.dir, "x.yaml")}); code != api.ExitDone || got != want {
		t.Errorf("ended with %d and asked for %+v: %s", code, got, b.err)
	}
	info, err := os.Stat(filepath.Join(b.Getenv("DEVSTACK_HOME"), "trusted"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what is trusted: %v, %v", info, err)
	}
}
