//go:build linux

package logs

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"devstack/procs/keeper/protocol"
)

// The test binary is also the process that has the full disk.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "full-disk" {
		os.Exit(fullDiskRole(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// A full disk, in a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"", "text"} {
		cmd := exec.Command(os.Args[0], "full-disk", t.TempDir(), format)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("format %q: %v\n%s", format, err, out)
		}
	}
}

const fullDiskLines = 60_000 // 4 MB, more than the 1 MB that a stream may queue

func fullDiskRole(args []string) int {
	if err := fullDisk(args[0], args[1]); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func fullDisk(dir, format string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	ls := NewRecorder(filepath.Join(dir, "state"), 10*time.Millisecond, slog.New(slog.NewTextHandler(io.Discard, nil)))
	path := filepath.Join(dir, "out.log")
	r, w, err := NewPipe()
	if err != nil {
		return err
	}
	ls.Read(r, protocol.Key{App: "app"}, "out", protocol.Logs{Format: format, MaxSize: 64 << 20}, path)
	out := bufio.NewWriter(w)
	for i := range fullDiskLines { // returns: the writer is never blocked by the disk for long
		fmt.Fprintf(out, "line %d %s\n", i, strings.Repeat("x", 50))
	}
	if err := out.Flush(); err != nil {
		panic(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		return fmt.Errorf("cannot enlarge: %w", err)
	}
	<-ls.file(path, protocol.Logs{}).idle()
	fmt.Fprintln(w, "after")
	w.Close()
	ls.Drain(10 * time.Second)
	return checkDropped(path)
}

var (
	numberedLine = regexp.MustCompile(`^(?:\d{4}-.{25}: )?line (\d+) x{50}$`)
	droppedLine  = regexp.MustCompile(`^(?:\d{4}-.{25}: )?\[devstack\] (\d+) lines dropped: no space left on device$`)
)

// checkDropped: every line is whole, in order and there, or counted exactly where it is missing.
func checkDropped(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next, dropped, last := 0, 0, ""
	for line := range strings.Lines(string(b)) {
		last = strings.TrimSuffix(line, "\n")
		if m := droppedLine.FindStringSubmatch(last); m != nil {
			n, _ := strconv.Atoi(m[1])
			next += n
			dropped += n
		} else if m := numberedLine.FindStringSubmatch(last); m != nil {
			if m[1] != strconv.Itoa(next) {
				return fmt.Errorf("line %s where %d should be", m[1], next)
			}
			next++
		} else if !strings.HasSuffix(last, "after") {
			return fmt.Errorf("damaged line %q", line)
		}
	}
	if next != fullDiskLines || dropped == 0 || !strings.HasSuffix(last, "after") {
		return fmt.Errorf("%d of %d lines, %d dropped, last %q", next, fullDiskLines, dropped, last)
	}
	return nil
}
