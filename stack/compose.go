package stack

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"
)

// composeRequest is which Compose project to load.
type composeRequest struct {
	files   []string // absolute
	project string   // -p
	profile string   // also enables the Compose profile of this name
	environ []string
}

// loadCompose loads a project with all its services as `docker compose` does in the same directory with the same
// environment: the same options in the same order, so that names and hashes agree.
func loadCompose(ctx context.Context, r composeRequest) (*types.Project, error) {
	env := shellMap(r.environ)
	dir := filepath.Dir(r.files[0])
	envFiles := composeEnvFiles(env, dir)
	profiles := append(splitList(env["COMPOSE_PROFILES"]), r.profile)

	files, find := r.files, cli.ProjectOptionsFn(func(*cli.ProjectOptions) error { return nil })
	if isDefaultFile(r.files) {
		// docker compose would find this file by itself, and with it an override file beside it.
		files, find = nil, cli.WithDefaultConfigPath
	}
	o, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(dir), cli.WithEnv(r.environ),
		withEnvFiles(envFiles), cli.WithDotEnv, find,
		cli.WithDefaultProfiles(profiles...), cli.WithName(r.project), cli.WithoutEnvironmentResolution)
	if err != nil {
		return nil, err
	}
	return o.LoadProject(ctx)
}

// selectServices leaves the selected services (none: all that are enabled) and what they need.
func selectServices(p *types.Project, names []string) (*types.Project, error) {
	p, err := p.WithServicesEnabled(names...)
	if err != nil {
		return nil, err
	}
	if p, err = p.WithSelectedServices(names); err != nil {
		return nil, err
	}
	p, err = p.WithoutUnnecessaryResources().WithServicesEnvironmentResolved(true)
	if err != nil {
		return nil, err
	}
	p = p.WithoutUnresolvedOptionalDependencies()
	return p, p.CheckContainerNameUnicity()
}

// composeEnvFiles are the files of variables that docker compose would read: COMPOSE_ENV_FILES, else .env of the
// project's directory.
func composeEnvFiles(env map[string]string, dir string) []string {
	if files := splitList(env["COMPOSE_ENV_FILES"]); files != nil {
		return files
	}
	if off, _ := strconv.ParseBool(env["COMPOSE_DISABLE_ENV_FILE"]); off {
		return nil
	}
	path := filepath.Join(dir, ".env")
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return []string{path}
}

// withEnvFiles sets the files without a look at this process's own environment, which is not the caller's.
func withEnvFiles(files []string) cli.ProjectOptionsFn {
	return func(o *cli.ProjectOptions) error {
		o.EnvFiles = files
		return nil
	}
}

// isDefaultFile says that docker compose, started in the file's directory, would find this file by itself.
func isDefaultFile(files []string) bool {
	if len(files) != 1 {
		return false
	}
	dir := filepath.Dir(files[0])
	for _, name := range cli.DefaultFileNames {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path == files[0]
		}
	}
	return false
}

// projectName is the project's name of a stack without containers, by docker compose's rules.
func projectName(flag string, env map[string]string, dir string) (string, error) {
	name := flag
	if name == "" {
		name = env["COMPOSE_PROJECT_NAME"]
	}
	if name == "" {
		name = loader.NormalizeProjectName(filepath.Base(dir))
		if name == "" {
			return "devstack", nil
		}
	}
	if name != loader.NormalizeProjectName(name) {
		return "", loader.InvalidProjectNameErr(name)
	}
	return name, nil
}

func splitList(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// logrusTurn lets one Load at a time listen: compose-go reports its warnings through logrus's global logger alone.
var logrusTurn sync.Mutex

// warningsOf runs load and returns what compose-go warned about instead of letting it write to stderr.
func warningsOf(load func()) []string {
	logrusTurn.Lock()
	defer logrusTurn.Unlock()
	var c warningCollector
	logger := logrus.StandardLogger()
	hooks, out := logger.ReplaceHooks(logrus.LevelHooks{}), logger.Out
	logger.AddHook(&c)
	logger.SetOutput(io.Discard)
	defer func() {
		logger.ReplaceHooks(hooks)
		logger.SetOutput(out)
	}()
	load()
	return c.messages
}

type warningCollector struct{ messages []string }

func (c *warningCollector) Levels() []logrus.Level {
	return []logrus.Level{logrus.ErrorLevel, logrus.WarnLevel}
}

func (c *warningCollector) Fire(e *logrus.Entry) error {
	if !slices.Contains(c.messages, e.Message) {
		c.messages = append(c.messages, e.Message)
	}
	return nil
}
