package daemon

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
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
				if err := os.WriteFile(f.path, []byte(tc.content), 0o600); err != nil {
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
