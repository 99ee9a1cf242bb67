package daemon

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadHistory(t *testing.T) {
	since := at(1000)
	file := func(version int, keeper time.Time) string {
		data, err := json.Marshal(history{Version: version, Keeper: keeper, Processes: json.RawMessage(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, tc := range []struct {
		name    string
		content string
		used    bool
		aside   bool
	}{
		{name: "none"},
		{name: "of this keeper", content: file(savedVersion, since), used: true},
		{name: "of an earlier keeper", content: file(savedVersion, at(999))},
		{name: "newer", content: file(savedVersion+1, since), aside: true},
		{name: "torn", content: file(savedVersion, since)[:20], aside: true},
		{name: "empty", content: " ", aside: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said []string
			f := &historyFile{
				path: filepath.Join(t.TempDir(), "state.json"), since: since, log: slog.New(slog.DiscardHandler),
				warn: func(message string) { said = append(said, message) },
			}
			if tc.content != "" {
				if err := WriteFile(f.path, []byte(tc.content)); err != nil {
					t.Fatal(err)
				}
			}
			if got := f.load(); (got.Processes != nil) != tc.used {
				t.Errorf("loaded %+v", got)
			}
			_, err := os.Stat(f.path + ".unusable")
			if (err == nil) != tc.aside {
				t.Errorf("moved aside: %v", err)
			}
			if (len(said) > 0) != tc.aside {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestWriteFileKeepsTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := os.Mkdir(path+".new", 0o700); err != nil { // as good as a full disk: the new file cannot be made
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new")); err == nil {
		t.Error("no error")
	}
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), "old") {
		t.Errorf("the old file is gone: %q, %v", data, err)
	}
}
