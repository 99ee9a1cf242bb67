package draft

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// framework is a server that a package's script runs.
type framework struct {
	name     string
	line     *regexp.Regexp // of the script
	port     int            // that it listens on where nothing else is said
	takesEnv bool           // PORT in its environment is its port
	config   string         // files that may name another port
	built    string         // what has to be built first, relative to the package; empty: nothing
}

// frameworks are looked through in this order.
var frameworks = []framework{
	{name: "next start", line: runs(`next\s+start`), port: 3000, takesEnv: true, built: ".next/BUILD_ID"},
	{name: "next dev", line: runs(`next\s+dev`), port: 3000, takesEnv: true},
	{name: "vite preview", line: runs(`vite\s+preview`), port: 4173, built: "dist"},
	{name: "vite", line: runs(`vite(?:\s+(?:dev|serve|-\S+)|\s*(?:$|[;&|]))`), port: 5173, config: "vite.config.*"},
	{name: "nest start", line: runs(`nest\s+start`), port: 3000},
	{name: "astro preview", line: runs(`astro\s+preview`), port: 4321, built: "dist"},
	{name: "astro dev", line: runs(`astro\s+(?:dev|start)`), port: 4321, config: "astro.config.*"},
	{name: "nuxt preview", line: runs(`nuxi?t?\s+(?:start|preview)`), port: 3000, takesEnv: true, built: ".output"},
	{name: "nuxt dev", line: runs(`nuxi?t?\s+dev`), port: 3000, takesEnv: true},
	{name: "react-scripts", line: runs(`react-scripts\s+start`), port: 3000, takesEnv: true},
}

// runs matches a script in which a command is one of the programs that are run.
func runs(command string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[\s/;&|])` + command + `(?:$|[\s;&|])`)
}

func frameworkOf(line string) *framework {
	for _, f := range frameworks {
		if f.line.MatchString(line) {
			return &f
		}
	}
	return nil
}

// facts are what a package tells of the server that it is.
type facts struct {
	line      string     // its script, or what devstack runs
	framework *framework // nil: none that is known
	config    string     // the text of the framework's own configuration
	source    string     // the text of its entry files, without comments
	env       string     // the text of its .env, and .env.example
}

// portRule finds a port in facts; 0: it says none.
type portRule struct {
	from string
	find func(f facts) int
}

const frameworkDefault = "its framework's default"

// portRules are asked in this order, the most certain first.
var portRules = []portRule{
	{"its script", func(f facts) int { return firstPort(f.line, portFlag, portSet) }},
	{"its configuration", func(f facts) int { return firstPort(f.config, portConfigured) }},
	{"its source", func(f facts) int { return firstPort(f.source, listenLiteral) }},
	{".env", func(f facts) int {
		if f.takesEnv() {
			return firstPort(f.env, portOfEnvFile)
		}
		return 0
	}},
	{"its source", func(f facts) int {
		if port := firstPort(f.source, envOrLiteral, envDefault); port != 0 || !listenVariable.MatchString(f.source) {
			return port
		}
		return firstPort(f.source, portVariable)
	}},
	{frameworkDefault, func(f facts) int {
		if f.framework == nil {
			return 0
		}
		return f.framework.port
	}},
}

var (
	portFlag       = regexp.MustCompile(`(?:--port[= ]|(?:^|\s)-p[= ]?)(\d{2,5})\b`)
	portSet        = regexp.MustCompile(`(?:^|\s)PORT=(\d{2,5})\b`)
	portConfigured = regexp.MustCompile(`\bserver\s*:\s*\{[^{}]*?\bport\s*:\s*(\d{2,5})\b`)
	portOfEnvFile  = regexp.MustCompile(`(?m)^\s*(?:export\s+)?PORT\s*=\s*["']?(\d{2,5})\b`)
	listenLiteral  = regexp.MustCompile(`\.listen\(\s*(?:\{\s*port\s*:\s*)?(\d{2,5})\b`)
	listenVariable = regexp.MustCompile(`(?i)\.listen\(\s*(?:\{\s*)?port\b`)
	portVariable   = regexp.MustCompile(`(?i)\b(?:const|let|var)\s+port\s*(?::\s*number\s*)?=\s*(\d{2,5})\b`)
	envOrLiteral   = regexp.MustCompile(`env(?:\.PORT|\[["']PORT["']\])(?:\s*,\s*10)?\)?\s*(?:\|\||\?\?)\s*["']?(\d{2,5})\b`)
	envDefault     = regexp.MustCompile(`\bPORT\s*=\s*["']?(\d{2,5})["']?[^;{}]*\}\s*=\s*process\.env`)
	lineComment    = regexp.MustCompile(`(?m)^\s*(?://|\*|/\*).*$`)
	healthRoute    = regexp.MustCompile(`(?:\b(?:app|router|server|fastify)\.(?:get|all|use)\(\s*|===?\s*|\bcase\s+|\b(?:url|path)\s*:\s*)["'\x60](/api/health|/healthz|/health)["'\x60]`)
)

// takesEnv says that the server listens where PORT says.
func (f facts) takesEnv() bool {
	return f.framework != nil && f.framework.takesEnv || strings.Contains(f.source, "PORT")
}

// port is where the server listens and what says so; 0: nothing does.
func (f facts) port() (port int, from string) {
	for _, rule := range portRules {
		if port := rule.find(f); port != 0 {
			return port, rule.from
		}
	}
	return 0, ""
}

func firstPort(text string, patterns ...*regexp.Regexp) int {
	for _, pattern := range patterns {
		if found := pattern.FindStringSubmatch(text); found != nil {
			if port, err := strconv.Atoi(found[1]); err == nil && port > 0 && port < 1<<16 {
				return port
			}
		}
	}
	return 0
}

// factsOf reads what the package in dir tells of the server that line runs. script is the file that node is given; empty: none.
func factsOf(dir, line, script string) facts {
	f := facts{line: line, framework: frameworkOf(line)}
	f.env = readStart(filepath.Join(dir, ".env")) + "\n" + readStart(filepath.Join(dir, ".env.example"))
	if f.framework != nil && f.framework.config != "" {
		files, _ := filepath.Glob(filepath.Join(dir, f.framework.config)) // the pattern is one of ours
		for _, file := range files {
			f.config += lineComment.ReplaceAllString(readStart(file), "")
		}
	}
	if f.framework == nil || f.framework.name == "nest start" {
		f.source = sourceOf(dir, line, script)
	}
	return f
}

// sourceOf is the text of the entry files: those that the line names, and what they are built from.
func sourceOf(dir, line, script string) string {
	var files []string
	for _, word := range append(strings.Fields(line), script) {
		ext := filepath.Ext(word)
		stem := strings.TrimPrefix(strings.TrimSuffix(word, ext), "./")
		if word != script && !slices.Contains([]string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx"}, ext) || word == "" {
			continue
		}
		if folder, rest, ok := strings.Cut(stem, "/"); ok && slices.Contains([]string{"dist", "build", "out", "lib"}, folder) {
			files = append(files, "src/"+rest+".ts", "src/"+rest+".js", strings.TrimPrefix(rest, "src/")+".ts", "src/"+strings.TrimPrefix(rest, "src/")+".ts")
		}
		files = append(files, word)
	}
	if len(files) == 0 {
		files = []string{"src/main.ts", "src/index.ts", "src/server.ts"}
	}
	for _, file := range files {
		if text := readStart(filepath.Join(dir, file)); text != "" {
			return lineComment.ReplaceAllString(text, "")
		}
	}
	return ""
}

// readStart is the first 256 KiB of a file; empty: there is none.
func readStart(path string) string {
	const most = 256 << 10
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	text := make([]byte, min(info.Size(), most))
	n, _ := file.Read(text) // of what can be read
	return string(text[:n])
}

// health is the path that the source or the framework's files name as their health check; empty: none.
func (f facts) health(dir string) string {
	if found := healthRoute.FindStringSubmatch(f.source); found != nil {
		return found[1]
	}
	if f.framework == nil || !strings.HasPrefix(f.framework.name, "next") {
		return ""
	}
	for _, pattern := range []string{"app/api/health/route.*", "src/app/api/health/route.*", "pages/api/health.*", "src/pages/api/health.*"} {
		if files, _ := filepath.Glob(filepath.Join(dir, pattern)); len(files) > 0 {
			return "/api/health"
		}
	}
	return ""
}
