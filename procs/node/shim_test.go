package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	path, err := Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if first.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", first.Mode())
	}
	if _, err := Install(dir); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.Stat(path); !os.SameFile(first, again) {
		t.Error("an equal file was replaced")
	}
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(dir); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(path); string(content) != string(shim) {
		t.Error("a different file was not replaced")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files left behind: %v", entries)
	}
	if _, err := Install(filepath.Join(dir, "missing")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

// TestPreload lets Node.js itself read what was quoted, and shows that the app sees its NODE_OPTIONS as they were.
func TestPreload(t *testing.T) {
	for _, tc := range []struct{ name, folder, theirs string }{
		{"plain", "state", ""},
		{"with options", "state", "--max-old-space-size=100 --no-warnings"},
		{"strange path", `a "b" \c --require "d`, `--title="x y"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), tc.folder)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "shim.cjs")
			if err := os.WriteFile(path, append(slices.Clone(shim), "\nglobalThis.loaded = __filename\n"...), 0o600); err != nil {
				t.Fatal(err)
			}
			env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "NODE_OPTIONS=") })
			if tc.theirs != "" {
				env = append(env, "NODE_OPTIONS=ignored, for it is not the last", "NODE_OPTIONS="+tc.theirs)
			}
			cmd := exec.Command("node", "-p", "globalThis.loaded + '|' + (process.env.NODE_OPTIONS ?? '')")
			cmd.Env = Preload(env, path)
			out, err := cmd.CombinedOutput()
			if want := path + "|" + tc.theirs + "\n"; err != nil || string(out) != want {
				t.Errorf("%v, %q instead of %q", err, out, want)
			}
		})
	}
	env := []string{"NODE_OPTIONS=-r x"}
	if Preload(env, "/shim"); env[0] != "NODE_OPTIONS=-r x" {
		t.Error("the caller's environment was changed")
	}
}
