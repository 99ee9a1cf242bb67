package export_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devstack/profiles/prod"
	"devstack/profiles/prod/drift"
	"devstack/profiles/prod/export"
	"devstack/stack"
)

// project writes files into a directory of their own, which is its path.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// workspace is what images are built from.
var workspace = map[string]string{"package.json": `{"name": "w"}`, "package-lock.json": `{"lockfileVersion": 3, "packages": {"": {}}}`, "a.js": ""}

// planted is a project with a secret wherever a developer has one, and those in this process's environment set.
func planted(t *testing.T) (dir string, canaries []string) {
	t.Helper()
	canary := func() string {
		canaries = append(canaries, newCanary())
		return canaries[len(canaries)-1]
	}
	for _, name := range []string{
		"DATABASE_URL", "REDIS_URL", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "NPM_TOKEN",
		"BARE", "WHOLE", "PART", "LEVEL", "MODE", "PROBE", "PGSETTING",
	} {
		t.Setenv(name, canary())
	}
	files := map[string]string{
		"ecosystem.yaml": `
name: canary
compose: compose.yaml
env_file: .env
required_env: [DATABASE_URL, REDIS_URL, ANTHROPIC_API_KEY, DOT_KEY]
apps:
- name: web
  script: a.js
  args: ["--mode=${MODE:-plain}"]
  port: 3000
  healthcheck: {http: "/health?of=${PROBE:-all}"}
  env_file: web.env
  env:
    BARE:
    WHOLE: "${WHOLE}"
    PARTLY: "https://example.com/${PART}"
    LEVEL: info
    URL: "postgres://u:` + canary() + `@db/x"
    JWT_SECRET: ` + canary() + `
    SIGNED: "${SIGNING_KEY:-` + canary() + `}"
    DOTTED: "${DOT_PART}"
  depends_on: [db]
- {name: nightly, script: a.js, one_shot: true, cron_restart: "0 3 * * *", env: {NIGHT_PASSWORD: ` + canary() + `}}
`,
		"compose.yaml": `
services:
  db:
    image: postgres:16
    command: [postgres, -c, "application_name=${PGSETTING:-db}"]
    environment: {POSTGRES_PASSWORD: ` + canary() + `, PGAUTH: "postgres://me:` + canary() + `@elsewhere/"}
`,
		"web.env": "WEB_TOKEN=" + canary() + "\nMONGO=mongodb://me:" + canary() + "@m/\n",
		".env":    "DOT_KEY=" + canary() + "\nDOT_PART=" + canary() + "\nONLY_DOT=" + canary() + "\n",
		".npmrc":  "//registry.example.com/:_authToken=${NPM_TOKEN}\n",
	}
	for name, content := range workspace {
		files[name] = content
	}
	return project(t, files), canaries
}

// containers are the backing services that a target may run itself; ECS runs none.
func containers(target string) []string {
	if target == "ecs" {
		return nil
	}
	return []string{"db"}
}

// written is every byte that the export of a target shows or writes, by where it is.
func written(t *testing.T, target, dir string, backing []string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "deploy", target)
	e, err := export.Render(t.Context(), target, export.Options{
		Load:  prod.LoadOptions{File: filepath.Join(dir, "ecosystem.yaml")},
		Model: prod.Options{Containers: backing}, Dir: filepath.Join(dir, "deploy", target),
	})
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	if _, err := drift.Export(out, target, e.Files); err != nil {
		t.Fatal(err)
	}
	report, err := json.Marshal(e.Report)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"the report": e.Report.Text(true), "the report's JSON": string(report)}
	err = fs.WalkDir(os.DirFS(out), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(out, name))
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if all[drift.LockName] == "" || len(all) < 4 {
		t.Fatalf("%s: there is nothing to look at: %d texts", target, len(all))
	}
	return all
}

func TestNoSecretOfDevelopmentGetsOut(t *testing.T) {
	dir, canaries := planted(t)
	if len(canaries) < 20 {
		t.Fatalf("%d canaries", len(canaries))
	}
	s := newScanner(canaries)
	for _, target := range export.Targets() {
		for _, backing := range [][]string{nil, containers(target)} {
			for name, text := range written(t, target, dir, backing) {
				if found := s.find(name + "\n" + text); len(found) > 0 {
					t.Errorf("%s %v: %s has %v", target, backing, name, found)
				}
			}
		}
	}
}

// The test above proves something only if development has every canary, and if one in a file would be found.
func TestEverySecretIsThereToBeFound(t *testing.T) {
	dir, canaries := planted(t)
	st, err := stack.Load(t.Context(), stack.Options{File: filepath.Join(dir, "ecosystem.yaml"), Environment: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	var dev strings.Builder
	for _, app := range st.Apps {
		fmt.Fprintln(&dev, app.Args, app.Healthcheck)
		for _, v := range app.Environment {
			fmt.Fprintln(&dev, v.Value)
		}
	}
	compose, err := st.Compose.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	dev.Write(compose)
	dotEnv, err := os.ReadFile(filepath.Join(dir, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	dev.Write(dotEnv)
	for i, c := range canaries {
		if len(newScanner([]string{c}).find(dev.String())) == 0 {
			t.Errorf("development does not know canary %d", i)
		}
	}
	s := newScanner(canaries)
	for _, target := range export.Targets() {
		for name, text := range written(t, target, dir, containers(target)) {
			for i, c := range canaries {
				for how, encoded := range encodings(c) {
					at := (i * 31) % len(text)
					if len(s.find(text[:at]+encoded+text[at:])) == 0 {
						t.Errorf("%s: canary %d, %s, is not found in %s", target, i, how, name)
					}
				}
			}
		}
	}
}

// A secret that stands where no target has a place for secrets is refused, and the refusal does not show it.
func TestASecretInTheWrongPlaceIsRefused(t *testing.T) {
	for _, c := range []struct{ app, service, npmrc string }{
		{app: `args: ["--token=SECRET"]`},
		{app: `args: [--password, SECRET]`},
		{app: `args: ["redis://u:SECRET@r/"]`},
		{app: `node_args: ["--password=SECRET"]`},
		{app: `healthcheck: {http: "http://me:SECRET@localhost:3000/h"}`},
		{app: `healthcheck: {http: "/h?token=SECRET"}`},
		{app: `healthcheck: {http: "http://localhost:3000/h?api_key=SECRET"}`},
		{app: `healthcheck: {exec: "curl --password SECRET localhost"}`},
		{app: `healthcheck: {exec: "curl -H 'Authorization: Bearer SECRET' localhost"}`},
		{service: `command: [postgres, "--token=SECRET"]`},
		{service: `healthcheck: {test: "PGPASSWORD=SECRET psql"}`},
		{npmrc: "//registry.example.com/:_authToken=SECRET\n"},
	} {
		secret := newCanary()
		put := func(text string) string { return strings.ReplaceAll(text, "SECRET", secret) }
		files := map[string]string{
			"ecosystem.yaml": "name: c\ncompose: compose.yaml\napps:\n- {name: web, script: a.js, port: 3000, " + put(c.app) + "}\n",
			"compose.yaml":   "services: {db: {image: 'postgres:16', " + put(c.service) + "}}\n",
			".npmrc":         put(c.npmrc),
		}
		for name, content := range workspace {
			files[name] = content
		}
		dir := project(t, files)
		_, err := export.Render(t.Context(), "image", export.Options{
			Load:  prod.LoadOptions{File: filepath.Join(dir, "ecosystem.yaml")},
			Model: prod.Options{Containers: []string{"db"}}, Dir: filepath.Join(dir, "deploy", "image"),
		})
		if err == nil {
			t.Errorf("%+v is not refused", c)
			continue
		}
		if found := newScanner([]string{secret}).find(err.Error()); len(found) > 0 {
			t.Errorf("%+v: the refusal shows %v: %v", c, found, err)
		}
	}
}
