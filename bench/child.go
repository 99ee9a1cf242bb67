package main

import (
	"bufio"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// This program is also the processes of P7, P8 and P12, so that they cost the supervisors' machine as little as they
// can: `bench lines GATE` and `bench leak GATE REPORTS`. Both do their work whenever the named pipe GATE is opened and
// closed again, for ever.

const (
	lineCount = 2_000_000
	lineSize  = 97 // with the newline; 194 MB in all
	leakSize  = 100 << 20
)

// child plays the role that args ask for, and says whether they do.
func child(args []string) bool {
	switch {
	case len(args) == 2 && args[0] == "lines":
		for waitGate(args[1]) == nil && writeLines(os.Stdout) == nil {
		}
	case len(args) == 3 && args[0] == "leak":
		leak(args[1], args[2])
	default:
		return false
	}
	return true
}

func waitGate(gate string) error {
	f, err := os.Open(gate)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

// writeLines writes as a C program does whose output is a pipe: 4 KiB at a time, not at line ends.
func writeLines(out io.Writer) error {
	w := bufio.NewWriterSize(out, 4096)
	line := newLine()
	for range lineCount {
		if _, err := w.Write(line.text[:]); err != nil {
			return err
		}
		line.next()
	}
	return w.Flush()
}

// numberedLine is the line that is due: its number and some text.
type numberedLine struct{ text [lineSize]byte }

func newLine() *numberedLine {
	l := &numberedLine{}
	for i := range l.text {
		l.text[i] = 'a' + byte(i%26)
	}
	copy(l.text[:], "0000000 ")
	l.text[lineSize-1] = '\n'
	return l
}

func (l *numberedLine) next() {
	for i := 6; i >= 0; i-- {
		if l.text[i]++; l.text[i] <= '9' {
			return
		}
		l.text[i] = '0'
	}
}

// leak takes memory, says so, and says when it is asked to end.
func leak(gate, reports string) {
	out, err := os.OpenFile(reports, os.O_WRONLY, 0)
	if err != nil || waitGate(gate) != nil {
		return
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	memory := make([]byte, leakSize)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	if _, err := out.WriteString("exceeded\n"); err != nil {
		return
	}
	<-asked
	_, _ = out.WriteString("signalled\n")
	memory[0] = 2
}
