//go:build linux

package keeper

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"devstack/procs/keeper/logs"
)

// chatter is what a process says: lines of every length with characters of every width, the last one unfinished.
type chatter struct {
	random *rand.Rand
	lines  int
}

func newChatter(lines int) *chatter {
	return &chatter{random: rand.New(rand.NewPCG(1, uint64(lines))), lines: lines}
}

// say calls tell with everything, in pieces that end anywhere, also inside a character.
func (c *chatter) say(tell func([]byte)) {
	alphabet := []string{"a", "B", "7", " ", "\t", `"`, `\`, "é", "€", "日", "🎉", "\r"}
	var said []byte
	for i := range c.lines {
		said = strconv.AppendInt(said, int64(i), 10)
		for range c.random.IntN(80) {
			said = append(said, alphabet[c.random.IntN(len(alphabet))]...)
		}
		if i < c.lines-1 {
			said = append(said, '\n')
		}
		if piece := 1 + c.random.IntN(8000); len(said) > piece {
			tell(said[:piece])
			said = append(said[:0], said[piece:]...)
		}
	}
	tell(said)
}

func chatterRole(args []string) int {
	lines, err := strconv.Atoi(args[0])
	if err != nil {
		return 2
	}
	newChatter(lines).say(func(b []byte) {
		if _, err := os.Stdout.Write(b); err != nil {
			os.Exit(1)
		}
	})
	return 0
}

// Every byte that a process says is on disk once, in order and in valid UTF-8, one record per line, across rotations,
// whatever the format. PM2 7.0.4, of 2 M lines with dates in front: 139 to 4,274 lost or joined to another, one record
// per read instead of one per line in JSON, and characters that a read cuts are replaced.
//
// 100,000 lines per format; DEVSTACK_ROUNDS times 20,000, if set: 1 M by `make soak`.
func TestSoakLosslessLogs(t *testing.T) {
	t.Parallel()
	lines := 100_000
	if text := os.Getenv("DEVSTACK_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("DEVSTACK_ROUNDS=%s is not a number of rounds", text)
		}
		lines = n * 20_000
	}
	want := sha256.New()
	newChatter(lines).say(func(b []byte) { want.Write(b) })

	r := newRig(t)
	c, _, w := r.dial()
	for _, format := range []string{"", "text", "json"} {
		l := r.sh("app"+format, "")
		l.Argv = []string{r.opts.Self, "chatter", strconv.Itoa(lines)}
		l.Logs.Format, l.Logs.MaxSize = format, 1<<20
		mustLaunch(t, c, l)
		select { // no limit of time: the test's own one is enough
		case e := <-w.exits:
			if e.Code != 0 {
				t.Fatalf("the process ended with %+v", e)
			}
		case <-t.Context().Done():
			t.Fatal("the process does not end")
		}
	}
	if err := c.Shutdown(t.Context()); err != nil { // everything is written then
		t.Fatal(err)
	}
	waitGone(t, r.opts)
	for _, format := range []string{"", "text", "json"} {
		got := sha256.New()
		path := filepath.Join(r.opts.Dir, "app"+format+"-out.log")
		if found := hashPayload(t, path, format, got); found != lines {
			t.Errorf("format %q: %d records of %d lines", format, found, lines)
		}
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("format %q: what is on disk is not what was said", format)
		}
	}
}

// hashPayload takes every record of a log and of its rotated files apart and adds the lines to sum.
func hashPayload(t *testing.T, path, format string, sum hash.Hash) (records int) {
	t.Helper()
	files, err := logs.Backups(path)
	if err != nil || len(files) < 3 {
		t.Errorf("%d rotated files of %s, %v", len(files), path, err)
	}
	for _, file := range append(files, path) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(f)
		in.Split(scanOnlyNewlines)
		for in.Scan() {
			line, err := payload(in.Bytes(), format)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if records++; records > 1 {
				sum.Write([]byte("\n"))
			}
			sum.Write(line)
		}
		if err := in.Err(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// scanOnlyNewlines is bufio.ScanLines without its removal of a carriage return.
func scanOnlyNewlines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// payload is the line in a record.
func payload(record []byte, format string) ([]byte, error) {
	if !utf8.Valid(record) {
		return nil, fmt.Errorf("%q is not UTF-8", record)
	}
	switch format {
	case "text":
		const stamp = len("2006-01-02 15:04:05.000 +00:00")
		if len(record) < stamp+2 || string(record[stamp:stamp+2]) != ": " {
			return nil, fmt.Errorf("%q has no date", record)
		}
		_, err := time.Parse(logs.DefaultLayout, string(record[:stamp]))
		return record[stamp+2:], err
	case "json":
		var r struct{ Message *string }
		if err := json.Unmarshal(record, &r); err != nil || r.Message == nil {
			return nil, fmt.Errorf("%q is no record: %w", record, err)
		}
		return []byte(*r.Message), nil
	}
	return record, nil
}
