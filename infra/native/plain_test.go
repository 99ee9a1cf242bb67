package native

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCopyRefusesWhatIsNoPlainFile(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("root's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, trap := range map[string]func(string) error{
		"link to a file":      func(path string) error { return os.Symlink(secret, path) },
		"link to a directory": func(path string) error { return os.Symlink(filepath.Dir(secret), path) },
		"pipe":                func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
			if err := os.WriteFile(filepath.Join(from, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := copyTree(from, to, account{}); err != nil {
				t.Fatal(err)
			}
			if err := trap(filepath.Join(from, "trap")); err != nil {
				t.Fatal(err)
			}
			if err := copyTree(from, to+"2", account{}); err == nil {
				t.Error("it was copied")
			}
			if _, err := os.Stat(filepath.Join(to+"2", "trap")); err == nil {
				t.Error("the copy has it")
			}
		})
	}
}

func TestTemplateIsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if !whole(dir) || whole(link) || whole(filepath.Join(dir, "none")) {
		t.Errorf("a directory %v, a link to it %v", whole(dir), whole(link))
	}
}

// A pid that a server's user has written, or that another process has by now, is signalled by nobody.
func TestPidFileNamesOnlyWhatWorksInItsDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "redis.pid")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintln(os.Getpid()))
	if pid, _ := pidIn(path); pid != 0 {
		t.Errorf("it names %d, which works elsewhere", pid)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if pid, at := pidIn(filepath.Join(link, "redis.pid")); pid != os.Getpid() || time.Since(at) > time.Hour {
		t.Errorf("it names %d, written at %s; want our own pid", pid, at)
	}
	for _, text := range []string{"", "x", "-1", "0", strings.Repeat("9", 200)} {
		write(text)
		if pid, _ := pidIn(path); pid != 0 {
			t.Errorf("%q: %d", text, pid)
		}
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if pid, _ := pidIn(path); pid != 0 {
		t.Errorf("a pipe names %d", pid)
	}
}

func TestWriteFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if err := (account{}).write(link, strings.NewReader("yours")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := os.ReadFile(link); err != nil || string(text) != "yours" {
		t.Errorf("%q, %v", text, err)
	}
}

// A path is a path, and no pattern.
func TestRecordsBelowAnOddPath(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "a[b]*\\")
	d, err := Connect(Options{ID: "0123456789ab", Environ: []string{"HOME=" + data, "XDG_DATA_HOME=" + data, "XDG_CACHE_HOME=" + data}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	at := d.servers.layout.place("p", "s")
	if err := os.MkdirAll(at.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.servers.layout.data, d.servers.layout.id, "a file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := record{ID: newID(), Project: "p", Service: "s", State: created}
	if err := d.servers.layout.save(want); err != nil {
		t.Fatal(err)
	}
	if r, err := d.servers.layout.load(want.ID); err != nil || r.Service != "s" {
		t.Errorf("%+v, %v", r, err)
	}
	obs, err := d.Observe(t.Context(), "p", nil)
	if _, found := obs.Volumes[string(at)]; err != nil || !found || len(obs.Containers) != 1 {
		t.Errorf("%+v, %v", obs, err)
	}
	for _, name := range []string{data, at.data(), filepath.Dir(string(at)), string(at) + "/../s", "/"} {
		if d.RemoveVolume(t.Context(), name) == nil {
			t.Errorf("%s was removed", name)
		}
	}
	if err := d.RemoveVolume(t.Context(), string(at)); err != nil || isDir(string(at)) {
		t.Errorf("%v", err)
	}
}

// The server keeps its descriptor: what it writes after the cut is in the log, what it wrote before in the older file, and
// who follows reads all of it.
func TestALogThatIsWrittenIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	server, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	follower, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	var c cutter
	var got []string
	step := func(line string, limit int64) {
		t.Helper()
		if _, err := server.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
		rewind(follower)
		for _, l := range c.read(follower) {
			got = append(got, l.Text)
		}
		if err := cut(path, limit); err != nil {
			t.Fatal(err)
		}
	}
	step("2026-11-24 01:00:00.000 UTC [1] LOG:  the first line", 1<<20)
	step("2026-11-24 01:00:01.000 UTC [1] LOG:  the second", 50)
	step("2026-11-24 01:00:02.000 UTC [1] LOG:  3", 50)
	if len(got) != 3 || !strings.HasSuffix(got[2], "3") {
		t.Errorf("who follows reads %q", got)
	}
	old, _ := os.ReadFile(path + ".1")
	now, _ := os.ReadFile(path)
	if strings.Count(string(old), "\n") != 2 || strings.Count(string(now), "\n") != 1 {
		t.Errorf("the older file holds %q, the log %q", old, now)
	}
}
