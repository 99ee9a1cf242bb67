package procs

import (
	"reflect"
	"strings"
	"testing"

	"devstack/stack"
)

func TestWatchRule(t *testing.T) {
	tests := []struct {
		name  string
		watch stack.Watch
		yes   string // paths whose change counts
		no    string
	}{
		{"everything", stack.Watch{}, "/app/a.js /app/src/deep/b.ts", "/other/a.js /application/a.js"},
		{"a directory", stack.Watch{Paths: []string{"src"}}, "/app/src/a.js /app/src/x/y.js", "/app/a.js /app/src2/a.js"},
		{"a file", stack.Watch{Paths: []string{"server.js"}}, "/app/server.js", "/app/server.jsx /app/src/server.js"},
		{"files of one directory", stack.Watch{Paths: []string{"src/*.js"}}, "/app/src/a.js", "/app/src/a.ts /app/src/x/a.js"},
		{"any depth", stack.Watch{Paths: []string{"src/**/*.js"}}, "/app/src/a.js /app/src/x/y/a.js", "/app/a.js /app/src/a.json"},
		{"directories", stack.Watch{Paths: []string{"packages/*/dist"}}, "/app/packages/a/dist/x/y.js", "/app/packages/a/src/y.js"},
		{"alternatives", stack.Watch{Paths: []string{"{src,lib}/[a-c]?.js"}}, "/app/src/a1.js /app/lib/c2.js", "/app/src/d1.js /app/test/a1.js"},
		{"outside", stack.Watch{Paths: []string{"../shared", "/etc/app.json"}}, "/shared/a.js /etc/app.json", "/app/a.js"},
		{"no glob after all", stack.Watch{Paths: []string{"src/[z-a]"}}, "/app/src/[z-a]", "/app/src/z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.watch.On = true
			r := watchRuleOf(stack.App{Cwd: "/app", Watch: test.watch})
			for _, path := range strings.Fields(test.yes) {
				if !r.matches(path) {
					t.Errorf("%s does not count", path)
				}
			}
			for _, path := range strings.Fields(test.no) {
				if r.matches(path) {
					t.Errorf("%s counts", path)
				}
			}
			if !reflect.DeepEqual(r, watchRuleOf(stack.App{Cwd: "/app", Watch: test.watch})) {
				t.Error("the same definition gives another rule: every up would take stock anew")
			}
		})
	}
	if watchRuleOf(stack.App{Cwd: "/app"}) != nil {
		t.Error("an app that does not watch has a rule")
	}
}

func TestIgnored(t *testing.T) {
	r := watchRuleOf(stack.App{
		Cwd: "/app", OutFile: "/app/api-out.log", ErrorFile: "/app/logs/api-error.log", Watch: stack.Watch{
			On: true, Ignore: []string{"*.tmp", "/gen", "docs/**/*.md", "cache/", "./x.json", "/app/abs"}, LogDir: "/app/logs",
		},
	})
	gitignores := map[string][]ignorePattern{
		"/app":     parseGitignore("# built\n\ndist/\n*.map\n!keep.map\n/top\n"),
		"/app/src": parseGitignore("!*.map\r\nsecret[0-9]\n"),
	}
	tests := []struct {
		path string
		dir  bool
		want bool
	}{
		{"/app/src/a.js", false, false},
		{"/app/.git", true, true},
		{"/app/packages/a/node_modules", true, true},
		{"/app/logs", true, true},
		{"/app/.devstack", true, true},
		{"/app/api-out.log", false, true},
		{"/app/api-out-1.log", false, true}, // of another instance
		{"/app/api-out-2026-11-23T10-00-00.000.log", false, true},
		{"/app/api-outer.txt", false, false},
		{"/app/src/x.tmp", false, true},
		{"/app/gen", true, true},
		{"/app/src/gen", true, false}, // anchored by its slash
		{"/app/docs/a/b.md", false, true},
		{"/app/cache", true, true},
		{"/app/cache", false, false}, // a file of that name
		{"/app/x.json", false, true},
		{"/app/abs", false, true},
		{"/app/lib/dist", true, true},
		{"/app/lib/dist", false, false},
		{"/app/a.map", false, true},
		{"/app/keep.map", false, false},
		{"/app/src/a.map", false, false}, // the nearer file decides
		{"/app/src/secret1", false, true},
		{"/app/secret1", false, false},
		{"/app/top", false, true},
		{"/app/src/top", false, false},
	}
	for _, test := range tests {
		if got := r.ignored(test.path, test.dir, gitignores); got != test.want {
			t.Errorf("%s (directory: %v): ignored %v, want %v", test.path, test.dir, got, test.want)
		}
	}
}

// FuzzGlob: no pattern of a .gitignore breaks anything, and what has no wildcards matches itself.
func FuzzGlob(f *testing.F) {
	for _, glob := range []string{"*.js", "src/**", "{a,b}/[!c]", `\!x`, "[", "{", "a}", "ü?", "[]a]", "**/", "!", "\xe7", "\\\xe7", "[\xe7]"} {
		f.Add(glob)
	}
	f.Fuzz(func(t *testing.T, glob string) {
		p, ok := parseIgnore(glob)
		if ok && p.match == nil {
			t.Fatal("no pattern")
		}
		if !strings.ContainsAny(glob, "*?[]{},\\\n") && !stack.CompileGlob("", glob, "").MatchString(strings.ToValidUTF8(glob, "\uFFFD")) {
			t.Errorf("%q does not match itself", glob)
		}
	})
}
