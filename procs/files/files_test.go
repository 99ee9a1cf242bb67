package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestReplaceKeepsTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := Replace(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := os.Mkdir(Beside(path), 0o700); err != nil { // as good as a full disk: the new file cannot be made
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err == nil {
		t.Error("no error")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("the old file is gone: %q, %v", data, err)
	}
}

// Whoever writes at the same time: every reader finds one whole content, and nothing is left beside it. A file that a crash
// left is no obstacle.
func TestReplaceAtTheSameTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(Beside(path), make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	var all sync.WaitGroup
	for i := range 8 {
		content := fmt.Sprintf("%0*d", 1000*(i+1), i)
		want[content] = true
		all.Go(func() {
			if err := Replace(path, []byte(content), 0o640); err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(path); err != nil || len(got) == 0 || len(got)%1000 != 0 {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	got, err := os.ReadFile(path)
	if err != nil || !want[string(got)] {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", fi, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestReplaceWritesThroughNoLink(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "state"), filepath.Join(dir, "other")
	if err := errors.Join(os.WriteFile(other, []byte("other"), 0o600), os.Symlink("other", Beside(path))); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err == nil {
		t.Error("no error")
	}
	if got, err := os.ReadFile(other); err != nil || string(got) != "other" {
		t.Errorf("%q, %v", got, err)
	}
}

// Who looks at a lock has it for an instant: that is waited for, another owner is not.
func TestTakeWaitsForALook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	look, own := open(), open()
	if taken, err := Taken(look); err != nil || taken {
		t.Fatal(taken, err)
	}
	var looking sync.WaitGroup
	refused := make(chan struct{})
	looking.Go(func() {
		<-refused
		look.Close()
	})
	if err := Lock(own, syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatal(err)
	}
	close(refused)
	if err := Take(own); err != nil {
		t.Error(err)
	}
	looking.Wait()
	if err := Take(open()); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Error(err)
	}
	if !PathTaken(path) || PathTaken(path+"-absent") {
		t.Error("taken is not told from free")
	}
}
