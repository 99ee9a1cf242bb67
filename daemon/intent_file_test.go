package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"devstack/daemon/api"
	"devstack/procs/files"
	"devstack/stack"
)

// secret is in everything of an intent that can have one.
const secret = "canary-7f3a"

// Nothing but names and numbers gets to the disk.
func TestNoSecretGetsToTheDisk(t *testing.T) {
	dir := t.TempDir()
	i := intent{
		Stack: &stack.Stack{Project: "p", Apps: []stack.App{{
			Name: "web", Command: []string{"serve", "--token", secret}, Args: []string{secret},
			Environment: []stack.Variable{{Key: "TOKEN", Value: secret}},
		}}},
		Environment: []string{"TOKEN=" + secret}, Files: api.Files{File: "/d/ecosystem.yaml"},
	}.clone()
	i.stop(i.Stack.Apps[0], 0)
	blob, err := i.encode()
	if err != nil || strings.Count(string(blob), secret) != 4 {
		t.Fatalf("the keeper does not get everything: %s, %v", blob, err)
	}
	f := newIntentFile(dir, func(message string) { t.Error(message) })
	f.keep(i.lasting)
	if err := f.write(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(intentPath(dir))
	if err != nil || strings.Contains(string(data), secret) || !strings.Contains(string(data), `"web"`) {
		t.Errorf("on disk is, %v:\n%s", err, data)
	}
	info, err := os.Stat(intentPath(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	back, err := readIntent(dir)
	if err != nil || !back.Stopped["web"] {
		t.Errorf("it comes back as %+v, %v", back, err)
	}
}

// A disk that is full is tried again until it is not; that is said once, and whoever asks hears it.
func TestIntentFileIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		blocked := files.Beside(intentPath(dir)) // as good as a full disk: the new file cannot be made
		if err := os.Mkdir(blocked, 0o700); err != nil {
			t.Fatal(err)
		}
		var said []string
		f := newIntentFile(dir, func(message string) { said = append(said, message) })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { f.run(ctx) })
		for range 2 {
			f.keep(lasting{Stopped: set("web")})
			if err := f.kept(ctx); err == nil {
				t.Error("kept although nothing can be written")
			}
		}
		synctest.Wait()
		if len(said) != 1 {
			t.Errorf("said %q", said)
		}
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		<-time.After(lastWritePause)
		if l, err := readIntent(dir); err != nil || !l.Stopped["web"] {
			t.Errorf("not tried again: %+v, %v", l, err)
		}
		if err := f.kept(ctx); err != nil {
			t.Errorf("not kept: %v", err)
		}
		f.keep(lasting{Stopped: set("agent")})
		cancel() // what came before it is written before run ends
		all.Wait()
		if l, err := readIntent(dir); err != nil || !l.Stopped["agent"] {
			t.Errorf("left unwritten: %+v, %v", l, err)
		}
	})
}

func TestReadIntent(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string // what show says
		err   string
	}{
		"none":         {},
		"ours":         {files: map[string]string{"intent.json": `{"version": 1, "stopped": {"web": true}, "driver": "native"}`}, want: "stopped=web native"},
		"with more":    {files: map[string]string{"intent.json": `{"version": 1, "of_later": true}`}},
		"torn":         {files: map[string]string{"intent.json": `{"version": 1, "sto`}, err: "intent.json: it is damaged"},
		"empty":        {files: map[string]string{"intent.json": ``}, err: "damaged"},
		"newer":        {files: map[string]string{"intent.json": `{"version": 2}`}, err: "version 2"},
		"no version":   {files: map[string]string{"intent.json": `{}`}, err: "no version"},
		"wins":         {files: map[string]string{"intent.json": `{"version": 1}`, "resurrect.json": `{"version": 1, "stopped": ["web"]}`, "infra": "docker\n"}},
		"earlier":      {files: map[string]string{"resurrect.json": `{"version": 1, "stopped": ["web"], "started": ["extra"], "instances": {"last": 3}}`, "infra": "native\n"}, want: "stopped=web started=extra scaled=last:3 native"},
		"earlier torn": {files: map[string]string{"resurrect.json": `{"ver`, "infra": "docker\n"}, want: "docker", err: "resurrect.json: it is damaged"},
		"earlier word": {files: map[string]string{"infra": "podman"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range tc.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l, err := readIntent(dir)
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%v", err)
			}
			if got := strings.TrimSpace(show(intent{lasting: l, Stack: fourApps()}) + " " + l.Driver); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// The files of an earlier devstackd are read once, and one that cannot be used is kept.
func TestIntentFileReplacesWhatWasBefore(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"resurrect.json", "infra", "intent.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := newIntentFile(dir, func(message string) { t.Error(message) })
	f.unusable = true
	f.keep(lasting{Driver: driverNative})
	if err := f.write(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"resurrect.json", "infra"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if aside, err := os.ReadFile(intentPath(dir) + ".unusable"); err != nil || string(aside) != "{" {
		t.Errorf("moved aside: %q, %v", aside, err)
	}
	if got := (Drivers{StateDir: dir}).Last(); got != driverNative {
		t.Errorf("the last driver is %q", got)
	}
}

// Without a daemon, down -v forgets what ran the services, and keeps the rest.
func TestForgetDriver(t *testing.T) {
	dir := t.TempDir()
	if err := newIntentFile(dir, nil).replace(lasting{Driver: driverNative, Stopped: map[string]bool{"web": true}}); err != nil {
		t.Fatal(err)
	}
	if err := forgetDriver(dir); err != nil {
		t.Fatal(err)
	}
	if l, err := readIntent(dir); err != nil || l.Driver != "" || !l.Stopped["web"] {
		t.Errorf("%+v, %v", l, err)
	}
	empty := t.TempDir()
	if err := forgetDriver(empty); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(intentPath(empty)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a project without a state has one now: %v", err)
	}
}
