package native

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// A data directory belongs to the server's user, and root reads in it: no link may lead root out of it, no pipe stop it, and
// no number make it signal another process.

// noTraps are flags with which what is not a plain file opens at once or not at all.
const noTraps = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// onlyPlain closes what is not a plain file.
func onlyPlain(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(fmt.Errorf("%s is not a plain file", f.Name()), err)
	}
	return f, nil
}

// firstLine is how a small file begins, and when it was written.
func firstLine(path string) (string, time.Time, error) {
	f, err := onlyPlain(os.OpenFile(path, noTraps, 0))
	if err != nil {
		return "", time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", time.Time{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 100))
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), info.ModTime(), err
}

// pidIn is the process that a server's own file names, if it works in this data directory; 0: none does.
func pidIn(path string) (pid int, at time.Time) {
	text, at, err := firstLine(path)
	if err != nil {
		return 0, time.Time{}
	}
	pid, _ = strconv.Atoi(text)
	p, err := process.NewProcess(int32(pid))
	if err != nil || !worksIn(p, filepath.Dir(path)) {
		return 0, time.Time{}
	}
	return pid, at
}

// worksIn says whether a process's working directory is dir, by whatever name.
func worksIn(p *process.Process, dir string) bool {
	at, err := p.Cwd()
	if err != nil {
		return false
	}
	own, err := os.Stat(at)
	other, otherErr := os.Stat(dir)
	return errors.Join(err, otherErr) == nil && os.SameFile(own, other)
}
