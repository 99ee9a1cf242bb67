package logs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/procs/keeper/protocol"
)

// FuzzStream: whatever a process writes, and in whatever pieces, is in its log: raw byte by byte, as records one per
// line with the line's text.
func FuzzStream(f *testing.F) {
	for _, text := range []string{"one\ntwo", "\n\n", "\xff\xc3\n é\x00🎉", "a\r\nb\n", strings.Repeat("long ", 20_000) + "\nend"} {
		f.Add(text, uint16(1))
		f.Add(text, uint16(7))
	}
	f.Fuzz(func(t *testing.T, text string, piece uint16) {
		var pieces []string
		for rest := text; rest != ""; {
			n := min(int(piece)+len(text)/50+1, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		dir := t.TempDir()
		raw, records := filepath.Join(dir, "raw.log"), filepath.Join(dir, "records.log")
		sayAndClose(t, protocol.Logs{Out: raw}, pieces...)
		if got := written(t, raw); got != text {
			t.Errorf("raw: got %q", got)
		}
		sayAndClose(t, protocol.Logs{Out: records, Format: "json"}, pieces...)
		var got strings.Builder
		for line := range strings.Lines(written(t, records)) {
			var record struct{ Message string }
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got.WriteString(record.Message)
			if len(text) < bufSize { // a longer line becomes several records
				got.WriteByte('\n')
			}
		}
		want := string([]rune(text)) // what is not UTF-8 becomes U+FFFD
		if len(text) >= bufSize {
			want = strings.ReplaceAll(want, "\n", "")
		} else if text != "" && !strings.HasSuffix(text, "\n") {
			want += "\n"
		}
		if got.String() != want {
			t.Errorf("records: got %q, want %q", got.String(), want)
		}
	})
}

// sayAndClose gives back the descriptors that a keeper holds for its whole life.
func sayAndClose(t *testing.T, cfg protocol.Logs, words ...string) {
	t.Helper()
	ls := testLogs(t)
	say(t, ls, cfg, words...)
	for _, f := range ls.files {
		f.disk.out.Close()
		if index := f.disk.index; index != nil && index.file != nil {
			index.file.Close()
		}
	}
}

// written is a log's content; nothing written is no file.
func written(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}
