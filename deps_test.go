package devstack_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport is the import rule: every package of ours, and those of ours that it may import. A new package, or a new
// arrow, is a decision about the architecture: docs/architecture.md says which way they run.
var mayImport = map[string][]string{
	"":                         {},
	"bench":                    {"daemon/api", "view"},
	"cmd/devstack":             {"cmd/devstack/format", "cmd/devstack/monit", "daemon/api", "procs/keeper", "procs/keeper/protocol", "view"},
	"cmd/devstack/format":      {"daemon/api", "view"},
	"cmd/devstack/monit":       {"cmd/devstack/format", "daemon/api", "view"},
	"cmd/devstackd":            {"daemon", "daemon/api", "daemon/preflight", "infra", "infra/docker", "procs", "procs/files", "procs/keeper/protocol", "profiles/pilot", "profiles/prod", "profiles/prod/drift", "profiles/prod/export", "profiles/prod/rehearse", "stack", "stack/draft", "view"},
	"daemon":                   {"daemon/api", "daemon/preflight", "infra", "infra/docker", "infra/native", "probe", "procs", "procs/files", "procs/keeper/protocol", "procs/node", "stack", "view"},
	"daemon/api":               {"view"},
	"daemon/preflight":         {"daemon/api", "infra", "procs/node", "stack", "view"},
	"infra":                    {"probe", "stack", "view"},
	"infra/docker":             {"infra", "probe", "stack", "view"},
	"infra/native":             {"infra", "probe", "procs/files", "procs/keeper/protocol", "procs/proc", "stack", "view"},
	"probe":                    {"stack"},
	"procs":                    {"probe", "procs/keeper/logs", "procs/keeper/protocol", "procs/node", "procs/proc", "stack", "view"},
	"procs/files":              {},
	"procs/keeper":             {"procs/files", "procs/keeper/ipc", "procs/keeper/logs", "procs/keeper/protocol", "procs/keeper/sockets", "procs/proc"},
	"procs/keeper/ipc":         {"procs/keeper/pause", "procs/keeper/protocol"},
	"procs/keeper/logs":        {"procs/keeper/pause", "procs/keeper/protocol"},
	"procs/keeper/pause":       {},
	"procs/keeper/protocol":    {"procs/files"},
	"procs/keeper/sockets":     {"procs/keeper/protocol"},
	"procs/node":               {"procs/files"},
	"procs/proc":               {},
	"profiles/pilot":           {"infra/native", "procs/files", "stack"},
	"profiles/prod":            {"stack"},
	"profiles/prod/compose":    {"profiles/prod", "stack"},
	"profiles/prod/drift":      {"procs/files", "profiles/prod", "stack"},
	"profiles/prod/ecs":        {"profiles/prod", "stack"},
	"profiles/prod/export":     {"profiles/prod", "profiles/prod/compose", "profiles/prod/ecs", "profiles/prod/image", "profiles/prod/kubernetes", "stack"},
	"profiles/prod/image":      {"profiles/prod", "stack"},
	"profiles/prod/kubernetes": {"profiles/prod", "stack"},
	"profiles/prod/rehearse":   {"infra", "profiles/prod", "profiles/prod/ecs", "profiles/prod/export", "stack", "view"},
	"stack":                    {},
	"stack/draft":              {"stack"},
	"view":                     {},
}

// mayExec are the files beside the keeper, which starts everything that stays, that may start programs, and why.
var mayExec = map[string]string{
	"cmd/devstack/sibling.go":      "starts a devstackd for one command",
	"cmd/devstackd/evaluate.go":    "asks the user's Node.js for what PM2's ecosystem file exports",
	"daemon/build.go":              "runs the user's build command",
	"daemon/preflight/programs.go": "asks Node.js for its version",
	"infra/native/execute.go":      "asks servers for their versions and runs initdb",
	"procs/execprobe.go":           "runs the user's healthchecks",
	"profiles/pilot/run.go":        "asks this machine what it has, and runs systemctl, apt-get, useradd and the user's build",

	"profiles/prod/rehearse/kubernetes_kubectl.go": "has kubectl apply what is rehearsed, and docker push its images",

	"profiles/prod/rehearse/engine.go": "runs the engines' own tools",
}

// roomOf are libraries that these rooms alone may know.
var roomOf = map[string][]string{
	"charm.land/bubbletea/v2":          {"cmd/devstack/monit"},
	"github.com/charmbracelet":         {"cmd/devstack", "cmd/devstack/monit"},
	"github.com/moby/moby/client":      {"infra/docker"},
	"github.com/coreos/go-systemd/v22": {"cmd/devstackd"},
	"github.com/fsnotify/fsnotify":     {"procs"},
	"github.com/robfig/cron/v3":        {"stack"},
	"github.com/spf13/cobra":           {"cmd/devstack"},
	"gopkg.in/natefinch/lumberjack.v2": {"procs/keeper/logs"},
}

type pkg struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Standard,Imports"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room is a package of ours without the module's name; ok is false for others.
func room(path string) (string, bool) {
	if path == "devstack" {
		return "", true
	}
	return strings.CutPrefix(path, "devstack/")
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range list(t, "./...") {
		name, _ := room(p.ImportPath)
		if name == "bench" || strings.HasPrefix(name, "bench/") {
			name = "bench"
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s is not in the import rule", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if target, ours := room(i); ours && !slices.Contains(allowed, target) && !strings.HasPrefix(target, "bench/") {
				t.Errorf("%s imports %s, against the import rule", p.ImportPath, i)
			}
			for library, homes := range roomOf {
				if (i == library || strings.HasPrefix(i, library+"/")) && !slices.Contains(homes, name) {
					t.Errorf("%s imports %s, which only %s may", p.ImportPath, i, strings.Join(homes, ", "))
				}
			}
		}
	}
}

// ADR 8: one file of the daemon knows that there are two drivers.
func TestOneFileOfTheDaemonKnowsTheDrivers(t *testing.T) {
	files, err := filepath.Glob("daemon/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var knowing []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") && slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
			return strings.HasPrefix(i.Path.Value, `"devstack/infra/`)
		}) {
			knowing = append(knowing, name)
		}
	}
	if !slices.Equal(knowing, []string{"daemon/drivers.go"}) {
		t.Errorf("drivers are imported by %v", knowing)
	}
}

func TestTheContractNeedsTheStandardLibraryOnly(t *testing.T) {
	for _, p := range list(t, "-deps", "./daemon/api") {
		if !p.Standard && p.ImportPath != "devstack/daemon/api" && p.ImportPath != "devstack/view" {
			t.Errorf("daemon/api depends on %s", p.ImportPath)
		}
	}
}

// The command that people type starts in a few milliseconds, and keeps running as the keeper: it stays small.
func TestTheCommandStaysSmall(t *testing.T) {
	heavy := []string{
		"compose-spec", "moby/moby", "docker/", "k8s.io", "prometheus", "modelcontextprotocol", "opentelemetry", "jackc/pgx",
		"charm.land/lipgloss", // at every start it looks at the terminal, and inside tmux it runs `tmux info`
	}
	for _, p := range list(t, "-deps", "./cmd/devstack") {
		for _, word := range heavy {
			if strings.Contains(p.ImportPath, word) {
				t.Errorf("cmd/devstack depends on %s", p.ImportPath)
			}
		}
	}
}

// Every source file is parsed: no init functions, no package-level state that changes, no program started by others
// than those that may.
func TestSourceRules(t *testing.T) {
	for _, p := range list(t, "./...") {
		name, _ := room(p.ImportPath)
		paths, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
			checkExec(t, fset, name, file)
		}
		checkState(t, fset, files)
	}
}

func checkExec(t *testing.T, fset *token.FileSet, name string, file *ast.File) {
	t.Helper()
	short := filepath.ToSlash(filepath.Join(name, filepath.Base(fset.Position(file.Package).Filename)))
	free := mayExec[short] != "" || name == "procs/keeper" || name == "procs/keeper/protocol" || strings.HasPrefix(name, "bench")
	for _, i := range file.Imports {
		if i.Path.Value == `"os/exec"` && !free {
			t.Errorf("%s imports os/exec", fset.Position(i.Pos()))
		}
	}
}

// checkState looks at all files of one package: package-level variables are constants that Go cannot express.
func checkState(t *testing.T, fset *token.FileSet, files []*ast.File) {
	t.Helper()
	state := map[string]bool{}
	for _, file := range files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: func init", fset.Position(d.Pos()))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					for _, s := range d.Specs {
						for _, n := range s.(*ast.ValueSpec).Names {
							state[n.Name] = n.Name != "_"
						}
					}
				}
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, left := range n.Lhs {
						forbid(t, fset, state, left)
					}
				}
			case *ast.IncDecStmt:
				forbid(t, fset, state, n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					forbid(t, fset, state, n.X)
				}
			}
			return true
		})
	}
}

// forbid reports that the package-level variable behind an expression is changed, or could be. Shadowing locals do
// not share a name with one.
func forbid(t *testing.T, fset *token.FileSet, state map[string]bool, e ast.Expr) {
	t.Helper()
	for {
		switch x := e.(type) {
		case *ast.SelectorExpr:
			e = x.X
			continue
		case *ast.IndexExpr:
			e = x.X
			continue
		case *ast.ParenExpr:
			e = x.X
			continue
		case *ast.Ident:
			if state[x.Name] {
				t.Errorf("%s: package-level variable %s changes", fset.Position(x.Pos()), x.Name)
			}
		}
		return
	}
}

// A file for another system is in no package that `go list` shows here, and keeps the rule, too. conformance/ is a module of
// its own.
func TestNoGoFileOutsideARoom(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata" || path == "conformance") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			dir := filepath.ToSlash(filepath.Dir(path))
			if dir == "." {
				dir = ""
			}
			if _, known := mayImport[dir]; !known && !strings.HasPrefix(dir, "bench/") {
				t.Errorf("%s is in no room of the house", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
