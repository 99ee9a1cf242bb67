package daemon

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devstack/daemon/api"
	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

func TestStashRoundTrip(t *testing.T) {
	want := &desired{
		Stack:       &stack.Stack{Project: "p", Dir: "/d", Apps: []stack.App{{Name: "web", Hash: "h"}}},
		Files:       api.Files{File: "/d/ecosystem.yaml", Profile: "dev"},
		Environment: []string{"TOKEN=hunter2"}, NoInfra: true, Infra: driverNative, Loose: map[string]bool{"web": true}, Scaled: map[string]bool{"web": true},
		Will: will{Stopped: set("agent"), Started: set("extra"), LeftOut: set("agent"), Booting: true},
	}
	blob, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeDesired(blob)
	if err != nil {
		t.Fatal(err)
	}
	if got.Stack.Project != "p" || got.Stack.Apps[0].Hash != "h" || got.Files != want.Files || !got.NoInfra || got.Infra != want.Infra || !got.Loose["web"] || !got.Scaled["web"] || !got.Will.Stopped["agent"] || !got.Will.Started["extra"] || !got.Will.LeftOut["agent"] || !got.Will.Booting ||
		got.Environment[0] != "TOKEN=hunter2" {
		t.Errorf("came back as %+v", got)
	}
	if got, err := decodeDesired(nil); got != nil || err != nil {
		t.Errorf("an empty stash is %v, %v", got, err)
	}
	if _, err := decodeDesired([]byte("no JSON")); err == nil {
		t.Error("a damaged stash is accepted")
	}
}

func TestLoadState(t *testing.T) {
	since := at(1000)
	file := func(version int, keeper time.Time) string {
		data, err := json.Marshal(savedState{Version: version, Keeper: keeper, Processes: json.RawMessage(`{}`)})
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
		{name: "of this keeper", content: file(stateVersion, since), used: true},
		{name: "of an earlier keeper", content: file(stateVersion, at(999))},
		{name: "newer", content: file(stateVersion+1, since), aside: true},
		{name: "torn", content: file(stateVersion, since)[:20], aside: true},
		{name: "empty", content: " ", aside: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := &Daemon{home: keeper.Identity{StateDir: t.TempDir(), Since: since}, log: slog.New(slog.DiscardHandler), bus: newBus(since)}
			if tc.content != "" {
				if err := WriteFile(d.statePath(), []byte(tc.content)); err != nil {
					t.Fatal(err)
				}
			}
			if got := d.loadState(); (got.Processes != nil) != tc.used {
				t.Errorf("loaded %+v", got)
			}
			_, err := os.Stat(d.statePath() + ".unusable")
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
