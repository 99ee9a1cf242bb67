package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// drafted is what one package, with the scripts given as name and line, becomes: the lines below its name.
func drafted(t *testing.T, scripts [2]string, files map[string]string) (lines string, d *Draft) {
	t.Helper()
	all := map[string]string{"package.json": fmt.Sprintf(`{"name": "web", "scripts": {%q: %q}}`, scripts[0], scripts[1])}
	maps.Copy(all, files)
	dir := write(t, all)
	d, err := Workspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	load(t, dir, d)
	_, apps, _ := strings.Cut(string(d.Text), "apps:\n")
	_, apps, _ = strings.Cut(apps, "  - name: web\n")
	return strings.Join(strings.Fields(apps), " "), d
}

// Each row is a rule of how a port is found.
func TestPorts(t *testing.T) {
	for name, tc := range map[string]struct {
		script [2]string
		files  map[string]string
		want   string // what follows the app's name
	}{
		"next":          {[2]string{"dev", "next dev --turbo"}, nil, "command: [npm, run, dev] port: 3000"},
		"next built":    {[2]string{"start", "next start"}, map[string]string{".next/BUILD_ID": "x"}, "command: [npm, start] port: 3000"},
		"vite":          {[2]string{"dev", "vite"}, nil, "command: [npm, run, dev] port: 5173"},
		"vite serves":   {[2]string{"dev", "NODE_ENV=x vite dev --open"}, nil, "command: [npm, run, dev] port: 5173"},
		"vite builds":   {[2]string{"dev", "vite build --watch"}, nil, "command: [npm, run, dev]"},
		"vite preview":  {[2]string{"start", "vite preview"}, nil, "command: [npm, start] port: 4173"},
		"vite's config": {[2]string{"dev", "vite"}, map[string]string{"vite.config.ts": "export default {\n// server: {port: 1}\nserver: { open: true, port: 3100 }}"}, "command: [npm, run, dev] port: 3100"},
		"nest":          {[2]string{"start", "nest start"}, nil, "command: [npm, start] port: 3000"},
		"nest's source": {[2]string{"start", "nest start"}, map[string]string{"src/main.ts": "await app.listen(process.env.PORT ?? 3200);"}, "command: [npm, start] port: 3200"},
		"astro":         {[2]string{"dev", "astro dev"}, nil, "command: [npm, run, dev] port: 4321"},
		"nuxt":          {[2]string{"dev", "nuxt dev"}, nil, "command: [npm, run, dev] port: 3000"},
		"react-scripts": {[2]string{"start", "react-scripts start"}, nil, "command: [npm, start] port: 3000"},

		"--port":            {[2]string{"dev", "vite --port 4000"}, nil, "command: [npm, run, dev] port: 4000"},
		"--port=":           {[2]string{"dev", "vite --port=4000"}, nil, "command: [npm, run, dev] port: 4000"},
		"-p":                {[2]string{"dev", "next dev -p 4001"}, nil, "command: [npm, run, dev] port: 4001"},
		"PORT= in a script": {[2]string{"dev", "PORT=4002 next dev"}, nil, "command: [npm, run, dev] port: 4002"},

		".env":                    {[2]string{"dev", "next dev"}, map[string]string{".env": "A=1\nPORT=4003\n"}, "command: [npm, run, dev] port: 4003"},
		".env.example":            {[2]string{"dev", "next dev"}, map[string]string{".env.example": "PORT=\"4004\"\n"}, "command: [npm, run, dev] port: 4004"},
		".env before the example": {[2]string{"dev", "next dev"}, map[string]string{".env.example": "PORT=1234\n", ".env": "PORT=4005\n"}, "command: [npm, run, dev] port: 4005"},
		".env is not for vite":    {[2]string{"dev", "vite"}, map[string]string{".env": "PORT=4003\n"}, "command: [npm, run, dev] port: 5173"},
		".env, and none listens":  {[2]string{"start", "node worker.js"}, map[string]string{".env": "PORT=4003\n", "worker.js": "work()"}, "script: worker.js"},
		".env, and it asks":       {[2]string{"start", "node s.js"}, map[string]string{".env": "PORT=4003\n", "s.js": "app.listen(process.env.PORT || 3000)"}, "script: s.js port: 4003"},

		"listen":             {[2]string{"start", "node s.js"}, map[string]string{"s.js": "http.createServer(f).listen(8080, () => {})"}, "script: s.js port: 8080"},
		"listen({port})":     {[2]string{"start", "node s.js"}, map[string]string{"s.js": "fastify.listen({ port: 8081 })"}, "script: s.js port: 8081"},
		"listen wins":        {[2]string{"start", "node s.js"}, map[string]string{"s.js": "PORT; app.listen(8082)", ".env": "PORT=1234"}, "script: s.js port: 8082"},
		"listen(0)":          {[2]string{"start", "node s.js"}, map[string]string{"s.js": "app.listen(0)"}, "script: s.js"},
		"a comment":          {[2]string{"start", "node s.js"}, map[string]string{"s.js": "// app.listen(8080)\n"}, "script: s.js"},
		"PORT ||":            {[2]string{"start", "node s.js"}, map[string]string{"s.js": "const port = process.env.PORT || 3001"}, "script: s.js port: 3001"},
		"Number(PORT) ??":    {[2]string{"start", "node s.js"}, map[string]string{"s.js": "Number(process.env.PORT) ?? '3002'"}, "script: s.js port: 3002"},
		"parseInt":           {[2]string{"start", "node s.js"}, map[string]string{"s.js": "parseInt(process.env['PORT'] || \"3003\", 10)"}, "script: s.js port: 3003"},
		"{ PORT = }":         {[2]string{"start", "node s.js"}, map[string]string{"s.js": "const { PORT = 3004, X } = process.env"}, "script: s.js port: 3004"},
		"a constant":         {[2]string{"start", "node s.js"}, map[string]string{"s.js": "const port = 3005\napp.listen(port, f)"}, "script: s.js port: 3005"},
		"an unused one":      {[2]string{"start", "node s.js"}, map[string]string{"s.js": "const port = 6379\nredis.connect(port)"}, "script: s.js"},
		"the built file's":   {[2]string{"start", "node dist/s.js"}, map[string]string{"src/s.ts": "app.listen(3006)"}, "script: dist/s.js port: 3006"},
		"a file that is run": {[2]string{"dev", "tsx watch src/server.ts"}, map[string]string{"src/server.ts": "app.listen(3007)"}, "command: [npm, run, dev] port: 3007"},
		"too far":            {[2]string{"start", "node s.js"}, map[string]string{"s.js": strings.Repeat(" ", 256<<10) + "app.listen(8080)"}, "script: s.js"},
		"no port":            {[2]string{"start", "node s.js"}, map[string]string{"s.js": "app.listen(99999)"}, "script: s.js"},

		"/health":          {[2]string{"start", "node s.js"}, map[string]string{"s.js": "app.get('/health', f); app.listen(3000)"}, "script: s.js port: 3000 healthcheck: http: /health"},
		"/healthz":         {[2]string{"start", "node s.js"}, map[string]string{"s.js": "if (req.url === '/healthz') x(); s.listen(3000)"}, "script: s.js port: 3000 healthcheck: http: /healthz"},
		"another's health": {[2]string{"start", "node s.js"}, map[string]string{"s.js": "axios.get('/health'); s.listen(3000)"}, "script: s.js port: 3000"},
		"health, no port":  {[2]string{"start", "node s.js"}, map[string]string{"s.js": "app.get('/health', f)"}, "script: s.js"},
		"next's health":    {[2]string{"dev", "next dev"}, map[string]string{"src/app/api/health/route.ts": ""}, "command: [npm, run, dev] port: 3000 healthcheck: http: /api/health"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, d := drafted(t, tc.script, tc.files); got != tc.want {
				t.Errorf("got  %s\nwant %s\n%s", got, tc.want, d.Text)
			}
		})
	}
}

// The lock file says which package manager runs scripts.
func TestPackageManagers(t *testing.T) {
	for lock, want := range map[string]string{
		"pnpm-lock.yaml": "command: [pnpm, run, dev]", "yarn.lock": "command: [yarn, run, dev]", "bun.lock": "command: [bun, run, dev]",
		"bun.lockb": "command: [bun, run, dev]", "package-lock.json": "command: [npm, run, dev]",
	} {
		if got, _ := drafted(t, [2]string{"dev", "tsx a.ts"}, map[string]string{lock: ""}); got != want {
			t.Errorf("%s: %s, want %s", lock, got, want)
		}
	}
	if got, _ := drafted(t, [2]string{"start", "tsx a.ts"}, map[string]string{"bun.lock": ""}); got != "command: [bun, run, start]" {
		t.Errorf("bun's start: %s", got)
	}
}

// What is not built yet is built before it is started.
func TestUnbuilt(t *testing.T) {
	packages := func(root, start string) map[string]string {
		return map[string]string{
			"package.json":     `{"workspaces": ["web"], "scripts": {` + root + `}}`,
			"pnpm-lock.yaml":   "",
			"web/package.json": fmt.Sprintf(`{"name": "web", "scripts": {"start": %q, "build": "make"}}`, start),
		}
	}
	const builder = "- name: web-build cwd: web command: [pnpm, run, build] one_shot: true"
	for name, tc := range map[string]struct {
		files map[string]string
		also  string // a file that is there
		want  string
	}{
		"next":                     {packages("", "next start"), "", "apps: " + builder + " - name: web cwd: web command: [pnpm, start] port: 3000 depends_on: [web-build]"},
		"next that is built":       {packages("", "next start"), "web/.next/BUILD_ID", "apps: - name: web cwd: web command: [pnpm, start] port: 3000"},
		"a script":                 {packages("", "node dist/a.js"), "", "apps: " + builder + " - name: web cwd: web script: dist/a.js depends_on: [web-build]"},
		"a script that is built":   {packages("", "node dist/a.js"), "web/dist/a.js", "apps: - name: web cwd: web script: dist/a.js"},
		"a script the root builds": {packages(`"build": "tsc -b"`, "node dist/a.js"), "", "build: command: pnpm run build if_missing: true apps: - name: web cwd: web script: dist/a.js"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.also != "" {
				tc.files[tc.also] = "x"
			}
			dir := write(t, tc.files)
			d, err := Workspace(dir)
			if err != nil {
				t.Fatal(err)
			}
			load(t, dir, d)
			text := strings.Join(strings.Fields(string(d.Text)), " ")
			if _, got, _ := strings.Cut(text, "shows what comes out. "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Two apps cannot have one port: the second gets the next one if PORT can tell it, else none, and that is said.
func TestPortsAreDraftedOnce(t *testing.T) {
	dir := write(t, map[string]string{
		"package.json":   `{"workspaces": ["*"]}`,
		"a/package.json": `{"name": "a", "scripts": {"dev": "vite"}}`,
		"b/package.json": `{"name": "b", "scripts": {"dev": "vite"}}`,
		"c/package.json": `{"name": "c", "scripts": {"dev": "next dev"}}`,
		"d/package.json": `{"name": "d", "scripts": {"dev": "next dev"}}`,
		"l/package.json": `{"name": "l", "scripts": {"dev": "tsc -w"}}`,
		"u/package.json": `{"name": "u", "scripts": {"start": "node u.js"}, "dependencies": {"l": "*"}}`,
	})
	d, err := Workspace(dir)
	if err != nil {
		t.Fatal(err)
	}
	st := load(t, dir, d)
	var ports []int
	for _, app := range st.Apps {
		ports = append(ports, app.Port)
	}
	if want := []int{5173, 0, 3000, 3001, 0}; !slices.Equal(ports, want) {
		t.Errorf("ports %v, want %v\n%s", ports, want, d.Text)
	}
	said := strings.Join(d.Lost, "\n")
	for _, words := range []string{"b: port 5173 is also that of a", "l/package.json is not an app: other packages use it"} {
		if !strings.Contains(said, words) {
			t.Errorf("%q is not said:\n%s", words, said)
		}
	}
}
