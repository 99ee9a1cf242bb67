package daemon

import (
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	keeper "devstack/procs/keeper/protocol"
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
		{name: "of this keeper", content: file(historyVersion, since), used: true},
		{name: "of an earlier keeper", content: file(historyVersion, at(999))},
		{name: "newer", content: file(historyVersion+1, since), aside: true},
		{name: "torn", content: file(historyVersion, since)[:20], aside: true},
		{name: "empty", content: " ", aside: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &Daemon{home: keeper.Identity{StateDir: t.TempDir(), Since: since}, log: slog.New(slog.DiscardHandler), bus: newBus(since)}
			if tc.content != "" {
				if err := os.WriteFile(d.historyPath(), []byte(tc.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := d.loadHistory(); (got.Processes != nil) != tc.used {
				t.Errorf("loaded %+v", got)
			}
			_, err := os.Stat(d.historyPath() + ".unusable")
			if (err == nil) != tc.aside {
				t.Errorf("moved aside: %v", err)
			}
			said, _ := d.bus.after(uint64(since.UnixMicro()))
			if (len(said) > 0) != tc.aside {
				t.Errorf("events %+v", said)
			}
		})
	}
}
