package procs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	keeper "devstack/procs/keeper/protocol"
	"devstack/stack"
)

// rotated writes the parts of one log as the keeper's rotation leaves them: all but the last are backups.
func rotated(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "api-out.log")
	for i, part := range parts {
		name := path
		if i < len(parts)-1 {
			name = strings.TrimSuffix(path, ".log") + fmt.Sprintf("-2026-01-02T03-04-%02d.000.log", i)
		}
		if err := os.WriteFile(name, []byte(part), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func messages(t *testing.T, q LogQuery) []string {
	t.Helper()
	lines := []string{}
	for r, err := range ReadLogs(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, r.Message)
	}
	return lines
}

func TestLastLinesAreExact(t *testing.T) {
	tests := []struct {
		name  string
		parts []string
		n     int
		want  []string
	}{
		{"fewer than asked", []string{"a\nb\n"}, 5, []string{"a", "b"}},
		{"exactly", []string{"a\nb\n"}, 2, []string{"a", "b"}},
		{"one", []string{"a\nb\n"}, 1, []string{"b"}},
		{"none", []string{"a\nb\n"}, 0, []string{}},
		{"all", []string{"a\n", "b\n", "c\n"}, -1, []string{"a", "b", "c"}},
		{"no end", []string{"a\nb"}, 1, []string{"b"}},
		{"no end, more", []string{"a\nb"}, 2, []string{"a", "b"}},
		{"empty lines count", []string{"a\n\n\n"}, 2, []string{"", ""}},
		{"only an empty line", []string{"\n"}, 3, []string{""}},
		{"over a rotation", []string{"a\nb\n", "c\nd\n"}, 3, []string{"b", "c", "d"}},
		{"over two", []string{"a\nb\n", "c\n", "d\n"}, 4, []string{"a", "b", "c", "d"}},
		{"empty after rotation", []string{"a\nb\n", ""}, 1, []string{"b"}},
		{"line cut by a rotation", []string{"a\nlong", "rest\n"}, 2, []string{"long", "rest"}},
		{"empty file", []string{""}, 3, []string{}},
		{"carriage returns", []string{"a\r\nb\r\n"}, 2, []string{"a", "b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := LogSource{App: "api", Out: rotated(t, test.parts...)}
			got := messages(t, LogQuery{Sources: []LogSource{src}, Lines: test.n})
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestLastLinesOfAnyLength compares with the whole log split into lines.
func TestLastLinesOfAnyLength(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		var parts, lines []string
		for range 1 + r.IntN(4) {
			var part strings.Builder
			for range r.IntN(40) {
				line := strings.Repeat("x", r.IntN(1+r.IntN(20000)))
				lines = append(lines, line)
				part.WriteString(line + "\n")
			}
			parts = append(parts, part.String())
		}
		n := r.IntN(60)
		src := LogSource{App: "api", Out: rotated(t, parts...)}
		got := messages(t, LogQuery{Sources: []LogSource{src}, Lines: n})
		if want := lines[max(0, len(lines)-n):]; !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d lines, want %d", seed, len(got), len(want))
		}
	}
}

// A program can write faster than anybody reads: history is what was there when it was asked for.
func TestHistoryEndsThoughTheLogGrows(t *testing.T) {
	path := rotated(t, "a\n", "b\nc\n")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	for r, err := range ReadLogs(t.Context(), LogQuery{Sources: []LogSource{{App: "api", Out: path}}, Lines: -1}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Message)
		if _, err := f.WriteString("more\nmore\n"); err != nil || len(got) > 3 {
			t.Fatalf("read %q, write error %v", got, err)
		}
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoLogYet(t *testing.T) {
	src := LogSource{App: "api", Out: filepath.Join(t.TempDir(), "none", "out.log"), Err: ""}
	if got := messages(t, LogQuery{Sources: []LogSource{src}, Lines: 5}); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}

func TestFormatsAreReadBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 2*3600))
	layout := goLayout("YYYY-MM-DD HH:mm:ss.SSS Z")
	tests := []struct {
		format, layout, line string
		want                 LogRecord
	}{
		{"", "", "plain", LogRecord{Stream: "out", Message: "plain"}},
		{"text", layout, at.Format(layout) + ": a: b", LogRecord{Time: at, Stream: "out", Message: "a: b"}},
		{"text", "15:04", "12:30: hello", LogRecord{Stream: "out", Message: "hello"}},
		{"text", layout, "not: ours", LogRecord{Stream: "out", Message: "not: ours"}},
		{
			"json", "", `{"timestamp":"2026-01-02T03:04:05.678+02:00","type":"err","app_name":"api","process_id":1,"instance":0,"message":"a\"b"}`,
			LogRecord{Time: at, Stream: "err", Message: `a"b`},
		},
		{"json", "", `{"timestamp":1}`, LogRecord{Stream: "out", Message: `{"timestamp":1}`}},
		{"", "", "bad \xff byte", LogRecord{Stream: "out", Message: "bad \uFFFD byte"}},
	}
	for _, test := range tests {
		got := LogRecord{Stream: "out"}
		parseLine(&got, []byte(test.line), test.format, test.layout)
		if !got.Time.Equal(test.want.Time) || got.Stream != test.want.Stream || got.Message != test.want.Message {
			t.Errorf("%q: got %+v, want %+v", test.line, got, test.want)
		}
	}
}

func TestGoLayout(t *testing.T) {
	tests := []struct{ pm2, want string }{
		{"YYYY-MM-DD HH:mm:ss.SSS Z", "2006-01-02 15:04:05.000 -07:00"},
		{"YYYY-MM-DDTHH:mm:ss", "2006-01-02T15:04:05"},
		{"YYYY-MM-DD HH:mm Z", "2006-01-02 15:04 -07:00"},
		{"DD/MM/YY h:mm A", "02/01/06 3:04 PM"},
		{"ddd MMM D HH:mm:ss ZZ YYYY", "Mon Jan 2 15:04:05 -0700 2006"},
		{"HH:mm:ss,SSS", "15:04:05,000"},
		{"[at] HH[h]", "at 15h"},
		{"", ""},
	}
	for _, test := range tests {
		if got := goLayout(test.pm2); got != test.want {
			t.Errorf("%q: got %q, want %q", test.pm2, got, test.want)
		}
	}
}

// TestMergedByTime reads two apps' raw logs by the times in the keeper's index.
func TestMergedByTime(t *testing.T) {
	p := newProject(t)
	// Each waits for the other's word, so that the true order is known; the pause is the index's resolution.
	ping := p.app("ping", "/bin/sh", "-c", "for i in 1 2 3; do echo ping $i; sleep 0.03; echo >&2 ping $i; touch p$i; until [ -e q$i ]; do sleep 0.03; done; done")
	pong := p.app("pong", "/bin/sh", "-c", "for i in 1 2 3; do until [ -e p$i ]; do sleep 0.03; done; echo pong $i; sleep 0.03; touch q$i; done")
	ping.OneShot, pong.OneShot = true, true
	p.start(ping, pong)
	p.untilReady("ping")
	p.untilReady("pong")
	id := 4
	q := LogQuery{Sources: []LogSource{SourceOf(ping, 0, &id), SourceOf(pong, 0, nil)}, StateDir: p.stateDir, Lines: -1}
	want := []string{"ping 1", "ping 1", "pong 1", "ping 2", "ping 2", "pong 2", "ping 3", "ping 3", "pong 3"}
	if got := messages(t, q); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var second time.Time
	for r, err := range ReadLogs(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Time.IsZero() || (r.App == "ping") != (r.ID != nil && *r.ID == 4) {
			t.Errorf("%+v", r)
		}
		if r.Message == "ping 2" && second.IsZero() {
			second = r.Time
		}
	}
	q.Since, q.Stream = second, "out"
	if got := messages(t, q); !slices.Equal(got, want[3:4:4]) && !slices.Equal(got, []string{"ping 2", "pong 2", "ping 3", "pong 3"}) {
		t.Errorf("since, out: %q", got)
	}
	got, files := LastLines(SourceOf(ping, 0, nil), p.stateDir, 2, time.Time{})
	if !slices.Equal(got, []string{"ping 3", "ping 3"}) || !slices.Equal(files, []string{ping.OutFile, ping.ErrorFile}) {
		t.Errorf("last lines %q of %q", got, files)
	}
	if got, files := LastLines(SourceOf(ping, 0, nil), p.stateDir, 1, time.Time{}); len(got) != 1 || !slices.Equal(files, []string{ping.ErrorFile}) {
		t.Errorf("last line %q of %q", got, files)
	}
}

// Warnings on one stream do not hide the cause on the other, nor does an output that goes on behind it.
func TestTheLastLinesAreOfBothStreams(t *testing.T) {
	said := func(file string, n int) (records []LogRecord) {
		for i := range n {
			records = append(records, LogRecord{Message: fmt.Sprint(file, i), file: file})
		}
		return records
	}
	for _, tc := range []struct {
		name         string
		records      []LogRecord
		lines, files []string
	}{
		{"nothing", nil, []string{}, []string{}},
		{"few", slices.Concat(said("e", 1), said("o", 2)), []string{"e0", "o0", "o1"}, []string{"e", "o"}},
		{"one stream", said("o", 6), []string{"o2", "o3", "o4", "o5"}, []string{"o"}},
		{"much output behind an error", slices.Concat(said("e", 1), said("o", 9)), []string{"e0", "o6", "o7", "o8"}, []string{"e", "o"}},
		{"much of both", slices.Concat(said("e", 9), said("o", 9)), []string{"e7", "e8", "o7", "o8"}, []string{"e", "o"}},
	} {
		if lines, files := newest(tc.records, 4); !slices.Equal(lines, tc.lines) || !slices.Equal(files, tc.files) {
			t.Errorf("%s: %q in %q", tc.name, lines, files)
		}
	}
}

// TestFollow goes through everything that can happen to a file under a reader.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "logs", "api-out.log")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for r, err := range ReadLogs(ctx, LogQuery{Sources: []LogSource{{App: "api", Out: path}}, Lines: 10, Follow: true}) {
			if err != nil {
				r.Message = err.Error()
			}
			lines <- r.Message
		}
	}()
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	want := func(expected ...string) {
		t.Helper()
		for _, e := range expected {
			if got, ok := <-lines; got != e || !ok {
				t.Fatalf("got %q, want %q", got, e)
			}
		}
	}
	rotate := func(second int) {
		t.Helper()
		if err := os.Rename(path, filepath.Join(dir, "logs", fmt.Sprintf("api-out-2026-01-02T03-04-%02d.000.log", second))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("new file\n")
	want("new file")
	write("half ")
	write("a line\n")
	want("half a line")
	write("before\n")
	rotate(1)
	write("between\n")
	rotate(2)
	write("after\n")
	want("before", "between", "after")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write("x\n")
	want("x")
	write("no end")
	want("no end")
	cancel()
	if line, open := <-lines; open {
		t.Errorf("got %q after the end", line)
	}
}

func TestLaunchHasWhatTheAppSays(t *testing.T) {
	env := []stack.Variable{{Key: "PATH", Value: "/no/such:/bin"}, {Key: "A", Value: "1"}, {Key: "NODE_APP_INSTANCE", Value: "9"}}
	app := stack.App{
		Name: "api", Script: "/srv/x.sh", Interpreter: "sh", NodeArgs: []string{"-e"}, Args: []string{"a b"}, Cwd: "/srv",
		Environment: env, InstanceVar: "NODE_APP_INSTANCE", KillSignal: "SIGINT", KillTimeout: time.Second,
		OutFile: "/o", ErrorFile: "/e", LogDateFormat: "HH:mm", MaxLogSize: 5, MaxLogFiles: 3,
	}
	app = app.Instance(0)
	l, err := launchRequest(app, keeper.Key{App: "api", Generation: 1}, 4, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/bin/sh", "-e", "/srv/x.sh", "a b"}; !slices.Equal(l.Argv, want) {
		t.Errorf("argv %q, want %q", l.Argv, want)
	}
	if want := []string{"A=1", "NODE_APP_INSTANCE=0", "PATH=/no/such:/bin"}; !slices.Equal(l.Env, want) {
		t.Errorf("env %q, want %q", l.Env, want)
	}
	if l.IPC || l.Grace.Signal != 2 || l.Grace.Timeout != time.Second || l.Logs.Format != "text" || l.Logs.Layout != "15:04" || l.Logs.ID != 4 {
		t.Errorf("launch %+v", l)
	}
	app.Interpreter = "none"
	if l, err = launchRequest(app, keeper.Key{App: "api", Generation: 1}, 4, ""); err != nil || !slices.Equal(l.Argv, []string{"/srv/x.sh", "a b"}) {
		t.Errorf("none: %q, %v", l.Argv, err)
	}
	app.Command = []string{"no-such-program"}
	if _, err = launchRequest(app, keeper.Key{App: "api", Generation: 1}, 4, ""); err == nil || !strings.Contains(err.Error(), "no-such-program in PATH") {
		t.Errorf("error %v", err)
	}
}
