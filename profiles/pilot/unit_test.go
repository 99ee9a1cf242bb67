package pilot

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a stack as bootstrap leaves it.
func sample() Unit {
	return Unit{
		Project: "acme", File: "/opt/acme/ecosystem.yaml", User: User, Home: Home, Driver: Docker, Systemd: 252,
		Devstack: "/usr/local/bin/devstack", Devstackd: "/usr/local/bin/devstackd",
		Writable: []string{"/opt/acme/scripts/logs"}, Stop: 40 * time.Second,
	}
}

func TestUnits(t *testing.T) {
	native := sample()
	native.Driver, native.Systemd = Native, 257
	hostile := sample()
	hostile.File, hostile.Named = `/srv/it's 100% "$HOME"\n/stack.yaml`, true
	hostile.Writable = []string{`/srv/a b`, `/srv/it's 100% "$HOME"\n/logs`, Home + "/logs"}
	person := sample()
	person.User, person.Home, person.File, person.Driver = "ada", "/home/ada", "/home/ada/acme/ecosystem.yaml", None
	person.Devstack, person.PathDirs = "/home/ada/bin/devstack", []string{"/home/ada/.nvm/versions/node/v22.1.0/bin"}
	for name, u := range map[string]Unit{"docker": sample(), "native": native, "hostile": hostile, "person": person} {
		t.Run(name, func(t *testing.T) {
			files, err := Units(u)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != len(u.Names()) {
				t.Errorf("%d units, named %v", len(files), u.Names())
			}
			for i, f := range files {
				if filepath.Base(f.Path) != u.Names()[i] || f.Mode != 0o644 {
					t.Errorf("unit %d is %s, mode %o", i, f.Path, f.Mode)
				}
				golden(t, filepath.Join(name, filepath.Base(f.Path)), f.Text)
			}
		})
	}
}

func TestNoUnitHoldsEverything(t *testing.T) {
	injected, quoted := sample(), sample()
	injected.Writable = []string{"/srv/a\nUser=root"}
	quoted.Devstack = "/srv/it's/devstack"
	for _, u := range []Unit{injected, quoted} {
		if files, err := Units(u); err == nil {
			t.Errorf("rendered %v", files)
		}
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct{ text, word, argument string }{
		{"/plain", "/plain", "/plain"},
		{"", `""`, `""`},
		{"/a b", `"/a b"`, `"/a b"`},
		{"100%", "100%%", "100%%"},
		{"$HOME", "$HOME", "$$HOME"},
		{`a"b`, `"a\"b"`, `"a\"b"`},
		{"it's", `"it's"`, `"it's"`},
		{`a\nb`, `"a\\nb"`, `"a\\nb"`},
		{"a;b", `"a;b"`, `"a;b"`},
	} {
		if got := word(test.text); got != test.word {
			t.Errorf("word(%q) = %s, want %s", test.text, got, test.word)
		}
		if got := command("/x", test.text); got != "/x "+test.argument {
			t.Errorf("command(%q) = %s, want %s", test.text, got, test.argument)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update writes it anew:\n%s", name, diff)
	}
}
