package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// stamped is PM2's usual date format, and how long it is in front of a line.
const (
	stamped     = "YYYY-MM-DD HH:mm:ss.SSS Z"
	stampLength = len("2006-01-02 15:04:05.000 +00:00: ")
)

// logWork is one side that brings 2 M lines to disk: a process that waits at a gate, and the file where its lines end.
type logWork struct {
	*workload
	gate, file string
	dates      bool
}

func newLogWork(e *environment, name string, dates bool) (*logWork, error) {
	w, err := newWorkload(e, name, 0, false)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &logWork{workload: w, gate: filepath.Join(w.dir, "gate"), file: filepath.Join(w.dir, "lines.log"), dates: dates}
	var yamlFormat, pm2Format string
	if dates {
		yamlFormat, pm2Format = ", log_date_format: \""+stamped+"\"", ", log_date_format: '"+stamped+"'"
	}
	yaml := fmt.Sprintf("name: bench-%s\napps:\n  - {name: lines, command: [%q, lines, %q], out_file: %q, max_log_size: 1G%s}\n", name, self, l.gate, l.file, yamlFormat)
	pm2 := fmt.Sprintf("module.exports = {apps: [{name: 'lines', script: '%s', interpreter: 'none', args: ['lines', '%s'], out_file: '%s'%s}]}\n", self, l.gate, l.file, pm2Format)
	shell := fmt.Sprintf("'%s' lines '%s' | cat >> '%s'\n", self, l.gate, l.file)
	return l, errors.Join(
		syscall.Mkfifo(l.gate, 0o600),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.yaml"), []byte(yaml), 0o644),
		os.WriteFile(filepath.Join(w.dir, "ecosystem.config.js"), []byte(pm2), 0o644),
		os.WriteFile(filepath.Join(w.dir, "start.sh"), []byte(shell), 0o755),
	)
}

// P7: wall time of 2 M lines, from the first to the last byte on disk.
func logTime() benchCase {
	return benchCase{
		id: "P7", title: "2 M lines, 194 MB, raw, until the last is on disk", unit: "ms", budgets: []budget{{"cat", 1.5}},
		sides: func(e *environment) ([]side, error) {
			cat, err1 := newLogWork(e, "p7-cat", false)
			pm2, err2 := newLogWork(e, "p7-pm2", false)
			own, err3 := newLogWork(e, "p7-devstack", false)
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, err
			}
			shell := exec.Command("sh", "start.sh")
			shell.Dir, shell.SysProcAttr = cat.dir, &syscall.SysProcAttr{Setpgid: true}
			return []side{
				{name: "cat", setUp: func(context.Context) error { return shell.Start() }, run: cat.round, end: func() {
					if shell.Process != nil {
						endGroup(shell)
					}
				}},
				{name: "PM2", setUp: pm2.pm2Start, run: pm2.round, end: pm2.ending(pm2.runPM2, "kill")},
				{name: devstackSide, setUp: own.ownUp, run: own.round, end: own.ending(own.runDevstack, "down")},
			}, nil
		},
	}
}

// P7 and P8: what the supervisor spends on it.
func logCPU(id, title string, dates bool, limit float64) benchCase {
	return benchCase{
		id: id, title: title, unit: "CPU s", budgets: []budget{{"", limit}},
		sides: func(e *environment) ([]side, error) {
			pm2, err1 := newLogWork(e, fmt.Sprintf("cpu-%v-pm2", dates), dates)
			own, err2 := newLogWork(e, fmt.Sprintf("cpu-%v-devstack", dates), dates)
			return []side{
				{
					name: "PM2", setUp: func(ctx context.Context) error { return pm2.pm2Start(ctx) },
					run: func(ctx context.Context) (float64, error) { return pm2.cpuRound(ctx, pm2.pm2Pids, pm2.mayLose) },
					end: pm2.ending(pm2.runPM2, "kill"),
				},
				{
					name: devstackSide, setUp: func(ctx context.Context) error { return own.ownUp(ctx) },
					run: func(ctx context.Context) (float64, error) { return own.cpuRound(ctx, own.devstackPids, own.round) },
					end: own.ending(own.runDevstack, "down"),
				},
			}, errors.Join(err1, err2)
		},
	}
}

// cpuRound is the CPU time that the supervisor's processes spend in one round.
func (l *logWork) cpuRound(ctx context.Context, find func(context.Context) ([]int, error), round func(context.Context) (float64, error)) (float64, error) {
	pids, err := find(ctx)
	if err != nil {
		return 0, err
	}
	before, err1 := cpuNanos(pids)
	_, err2 := round(ctx)
	after, err3 := cpuNanos(pids)
	return float64(after-before) / 1e9, errors.Join(err1, err2, err3)
}

var errDamaged = errors.New("lines are lost or damaged")

// round opens the gate, waits for the last line and looks at every one.
func (l *logWork) round(ctx context.Context) (float64, error) {
	if err := os.Truncate(l.file, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	open, err := openGate(ctx, l.gate)
	if err != nil {
		return 0, err
	}
	ms, err := timed(func() error {
		open()
		return l.waitLast(ctx)
	})
	if err != nil {
		return 0, err
	}
	damaged, err := l.damaged()
	if err == nil && damaged > 0 {
		err = fmt.Errorf("%w: %d of %d", errDamaged, damaged, lineCount)
	}
	return ms, err
}

// mayLose is round for PM2, which loses lines when it puts dates before them: that is said, and no reason to end.
func (l *logWork) mayLose(ctx context.Context) (float64, error) {
	ms, err := l.round(ctx)
	if errors.Is(err, errDamaged) && l.dates {
		fmt.Fprintln(os.Stderr, "   PM2:", err)
		return ms, nil
	}
	return ms, err
}

// openGate waits until a process stands at the gate; the function that it returns opens it.
func openGate(ctx context.Context, gate string) (open func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = retry(ctx, func(context.Context) error {
		f, err := os.OpenFile(gate, os.O_WRONLY|syscall.O_NONBLOCK, 0) // ENXIO: nobody there yet
		if err == nil {
			open = func() { f.Close() }
		}
		return err
	})
	return open, err
}

// waitLast returns when the last line is the end of the file.
func (l *logWork) waitLast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	last := []byte(strconv.Itoa(lineCount-1) + " ")
	return retry(ctx, func(context.Context) error {
		f, err := os.Open(l.file)
		if err != nil {
			return err
		}
		defer f.Close()
		tail := make([]byte, lineSize)
		if _, err := f.Seek(-lineSize, io.SeekEnd); err != nil {
			return err
		}
		if _, err := io.ReadFull(f, tail); err != nil || !bytes.HasPrefix(tail, last) {
			return fmt.Errorf("the last line does not come, %q: %w", tail, err)
		}
		return nil
	})
}

// damaged counts the lines that are not there, once, alone on their line, in order and whole.
func (l *logWork) damaged() (int, error) {
	f, err := os.Open(l.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := 0
	if l.dates {
		head = stampLength
	}
	want, intact := newLine(), 0
	for in := bufio.NewReaderSize(f, 1<<20); ; {
		got, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return 0, err
		}
		if len(got) == head+lineSize && bytes.Equal(got[head:], want.text[:]) && (head == 0 || got[head-2] == ':') {
			intact++
		} else if len(got) >= lineSize {
			copy(want.text[:7], got[len(got)-lineSize:]) // go on from there
		}
		want.next()
		if err == io.EOF {
			return lineCount - intact, nil
		}
	}
}
