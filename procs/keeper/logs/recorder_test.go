package logs

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"devstack/procs/keeper/protocol"
)

func testLogs(t *testing.T) *Recorder {
	return NewRecorder(t.TempDir(), 10*time.Millisecond, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// say lets a process that says these words begin and end, and waits until they are on disk.
func say(t *testing.T, ls *Recorder, cfg protocol.Logs, words ...string) {
	t.Helper()
	r, w, err := NewPipe()
	if err != nil {
		t.Fatal(err)
	}
	ls.Read(r, protocol.Key{App: "a\"pp", Instance: 2}, "out", cfg, cfg.Out)
	for _, word := range words {
		if _, err := io.WriteString(w, word); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	ls.Drain(10 * time.Second)
}

func TestRawBytesAreUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "dir", "out.log")
	ls := testLogs(t)
	text := "one\r\n\x1b[31mred\x1b[0m\x00\xff\n\n" + strings.Repeat("long é", 50_000) + "\nno newline"
	say(t, ls, protocol.Logs{Out: path}, text)
	if got := readAll(t, path); got != text {
		t.Errorf("%d bytes, want %d", len(got), len(text))
	}
	say(t, ls, protocol.Logs{Out: path}, "next\n")
	if got := readAll(t, path); got != text+"\nnext\n" {
		t.Errorf("the next launch's first line joins the last one's: %q", got[len(text):])
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", fi.Mode(), err)
	}
}

func TestTextFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	combined := filepath.Join(t.TempDir(), "all.log")
	say(t, testLogs(t), protocol.Logs{Out: path, Combined: combined, Format: "text"}, "fir", "st\n\nzwei ä", "ö\nlast")
	got := readAll(t, path)
	stamp := `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d: `
	if !regexp.MustCompile(`^` + stamp + `first\n` + stamp + `\n` + stamp + `zwei äö\n` + stamp + `last\n$`).MatchString(got) {
		t.Errorf("%q", got)
	}
	if all := readAll(t, combined); all != got {
		t.Errorf("combined: %q", all)
	}
}

func TestJSONFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	words := []string{"plain", `quo"te \ back`, "tab\tcr\r\x01\x1b[0m", "bad \xff\xc3 utf-8", "ünï 🎉", ""}
	before := time.Now().Truncate(time.Millisecond)
	say(t, testLogs(t), protocol.Logs{Out: path, Format: "json", ID: 5}, strings.Join(words, "\n")+"\n")
	lines := strings.Split(strings.TrimSuffix(readAll(t, path), "\n"), "\n")
	if len(lines) != len(words) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, line := range lines {
		at := regexp.MustCompile(`^\{"timestamp":"([^"]+)","type":"out","app_name":"a\\"pp","process_id":5,"instance":2,"message":".*"\}$`).FindStringSubmatch(line)
		var rec struct {
			Timestamp time.Time
			Message   string
		}
		if err := json.Unmarshal([]byte(line), &rec); err != nil || at == nil {
			t.Fatalf("%s: %v", line, err)
		}
		if want := strings.ToValidUTF8(strings.ReplaceAll(words[i], "\xff\xc3", "\ufffd\ufffd"), "?"); rec.Message != want {
			t.Errorf("message %q, want %q", rec.Message, want)
		}
		if rec.Timestamp.Before(before) || rec.Timestamp.After(time.Now()) {
			t.Errorf("timestamp %v", rec.Timestamp)
		}
	}
}

func TestOverlongLineInRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	long := "x" + strings.Repeat("é", 100_000) // no multiple of the read size falls between two characters
	say(t, testLogs(t), protocol.Logs{Out: path, Format: "json"}, long+"\nshort\n")
	var joined strings.Builder
	lines := strings.Split(strings.TrimSuffix(readAll(t, path), "\n"), "\n")
	for _, line := range lines {
		var rec struct{ Message string }
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		joined.WriteString(rec.Message)
	}
	if joined.String() != long+"short" || len(lines) != 5 {
		t.Errorf("%d records, %d bytes of %d", len(lines), joined.Len(), len(long)+5)
	}
}

func TestCutLines(t *testing.T) {
	for _, tc := range []struct {
		in   string
		full bool
		want int
	}{
		{"", false, 0},
		{"a\nb\nc", false, 4},
		{"a\nb\n", true, 4},
		{"abc", false, 0},
		{"abc", true, 3},
		{"aé"[:2], true, 1},
		{"aé", true, 3},
		{"a🎉"[:4], true, 1},
		{"a🎉", true, 5},
		{"aaa\x80\x80\x80\x80", true, 7}, // not UTF-8 at all
	} {
		if got := cutLines([]byte(tc.in), tc.full); got != tc.want {
			t.Errorf("cutLines(%q, %v) = %d, want %d", tc.in, tc.full, got, tc.want)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add([]byte("a\"b\\\n\x00\xff\u2028é"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var got string
		if err := json.Unmarshal(appendJSON(nil, in), &got); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		want := string([]rune(string(in)))
		if got != want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q", in, got)
		}
	})
}

func TestRotationKeepsLinesWholeAndIndexesFollow(t *testing.T) {
	ls := testLogs(t)
	path := filepath.Join(t.TempDir(), "out.log")
	before := time.Now()
	var text strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	say(t, ls, protocol.Logs{Out: path, MaxSize: 4 << 10}, text.String())
	files, err := Backups(path)
	if err != nil || len(files) < 5 {
		t.Fatalf("%d rotated files, %v", len(files), err)
	}
	files = append(files, path)
	var got strings.Builder
	for _, file := range files {
		part := readAll(t, file)
		got.WriteString(part)
		if len(part) > 4<<10 || !strings.HasSuffix(part, "\n") {
			t.Errorf("%s: %d bytes", file, len(part))
		}
		fi, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		x, err := OpenIndex(ls.stateDir, path, fi)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := x.Time(fi.Size() - 1); !ok || at.Before(before) || at.After(time.Now()) {
			t.Errorf("%s: index says %v, %v", file, at, ok)
		}
		_ = x.Close()
	}
	if got.String() != text.String() {
		t.Error("the files together are not what was said")
	}
	os.Remove(files[0])
	say(t, ls, protocol.Logs{Out: path, MaxSize: 4 << 10}, strings.Repeat("more\n", 2000))
	rest, err := Backups(path)
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := os.ReadDir(indexDir(ls.stateDir, path))
	if err != nil || len(indexes) != len(rest)+1 {
		t.Errorf("%d indexes of %d files: %v", len(indexes), len(rest)+1, err)
	}
}

func TestMaxFiles(t *testing.T) {
	ls := testLogs(t)
	path := filepath.Join(t.TempDir(), "out.log")
	say(t, ls, protocol.Logs{Out: path, MaxSize: 1 << 10, MaxFiles: 2}, strings.Repeat("a line\n", 5000))
	for files := []string{""}; len(files) != 2; { // lumberjack removes on a goroutine of its own
		var err error
		if files, err = Backups(path); err != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestIndexTimes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &indexWriter{dir: indexDir(dir, path)}
	w.begin(fi, 0)
	base := time.Unix(1_700_000_000, 0)
	w.note(10, base)
	w.note(15, base.Add(time.Millisecond)) // too soon for a record of its own
	w.note(20, base.Add(time.Second))
	w.note(30, base.Add(2*time.Second))
	x, err := OpenIndex(dir, path, fi)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	for offset, want := range map[int64]time.Time{
		9: {}, 10: base, 19: base, 20: base.Add(time.Second), 29: base.Add(time.Second), 1 << 40: base.Add(2 * time.Second),
	} {
		at, ok := x.Time(offset)
		if !at.Equal(want) || ok == want.IsZero() {
			t.Errorf("offset %d: %v, %v; want %v", offset, at, ok, want)
		}
	}
	w.begin(fi, 0) // the inode was given to a new file
	if _, ok := x.Time(10); ok {
		t.Error("a new file has the old one's times")
	}
	if _, err := OpenIndex(dir, "/other", fi); !os.IsNotExist(err) {
		t.Errorf("no index: %v", err)
	}
}

func TestRemovedAndTruncated(t *testing.T) {
	ls := testLogs(t)
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "out.log")
	say(t, ls, protocol.Logs{Out: path}, "one\n")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	say(t, ls, protocol.Logs{Out: path}, "two\n")
	if got := readAll(t, path); got != "two\n" {
		t.Errorf("after the directory was removed: %q", got)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	say(t, ls, protocol.Logs{Out: path}, "three\n")
	if got := readAll(t, path); got != "three\n" {
		t.Errorf("after the file was emptied: %q", got)
	}
}

func TestSharedFileKeepsLinesApart(t *testing.T) {
	ls := testLogs(t)
	path := filepath.Join(t.TempDir(), "out.log")
	a, aw, err := NewPipe()
	if err != nil {
		t.Fatal(err)
	}
	ls.Read(a, protocol.Key{App: "a"}, "out", protocol.Logs{}, path)
	fmt.Fprint(aw, "half of a")
	b, bw, err := NewPipe()
	if err != nil {
		t.Fatal(err)
	}
	ls.Read(b, protocol.Key{App: "b"}, "out", protocol.Logs{}, path)
	fmt.Fprint(bw, "all of b\n")
	bw.Close()
	fmt.Fprint(aw, " line\n")
	aw.Close()
	ls.Drain(10 * time.Second)
	got := readAll(t, path)
	if got != "all of b\nhalf of a line\n" && got != "half of a line\nall of b\n" {
		t.Errorf("%q", got)
	}
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
