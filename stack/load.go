package stack

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Options says which stack to load and for whom.
type Options struct {
	File        string   // path of ecosystem.yaml
	Project     string   // -p; empty: as docker compose finds it
	Profile     string   // empty: DEVSTACK_PROFILE in Environment, else dev
	Environment []string // the caller's, KEY=VALUE: interpolation, precedence, COMPOSE_*
	// Portable loads for another machine: Environment fills in ${...} and is nothing that the apps inherit, and neither the
	// stack's env_file nor the .env beside compose.yaml is read. What is then missing is in App.Open and Variable.Unset.
	Portable bool
}

// Load reads, merges, validates and resolves. What is wrong with the files is Errors, all at once; a profile that
// does not exist is an *UnknownError.
func Load(ctx context.Context, o Options) (*Stack, error) {
	profile, err := selectProfile(o)
	if err != nil {
		return nil, err
	}
	if o.Project != loader.NormalizeProjectName(o.Project) {
		return nil, Errors{{Message: loader.InvalidProjectNameErr(o.Project).Error()}}
	}
	file, dir, err := locate(o.File)
	if err != nil {
		return nil, Errors{{File: o.File, Message: "cannot read: " + plainCause(err).Error()}}
	}
	data, err := readRegular(file)
	if err != nil {
		return nil, Errors{{File: file, Message: "cannot read: " + plainCause(err).Error()}}
	}
	if o.Portable {
		o.Environment = append(slices.Clone(o.Environment), "COMPOSE_ENV_FILES=", "COMPOSE_DISABLE_ENV_FILE=true")
	}
	var s *Stack
	p := &problems{file: file}
	warnings := warningsOf(func() {
		if e := readEcosystem(p, data, dir, profile, environment{shell: shellMap(o.Environment), portable: o.Portable}); e != nil {
			s, err = e.assemble(ctx, file, o)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	s.Warnings = append(s.Warnings, warnings...)
	return s, nil
}

func selectProfile(o Options) (string, error) {
	profile := o.Profile
	if profile == "" {
		profile = shellMap(o.Environment)["DEVSTACK_PROFILE"]
	}
	if profile == "" {
		profile = "dev"
	}
	if !slices.Contains(profileNames, profile) {
		return "", &UnknownError{Kind: "profile", Name: profile, Hint: didYouMean(profile, profileNames)}
	}
	return profile, nil
}

// locate is the file below the real path of its directory: symlinks and bind mounts lead to the same stack.
func locate(path string) (file, dir string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	if dir, err = filepath.EvalSymlinks(filepath.Dir(path)); err != nil {
		return "", "", err
	}
	return filepath.Join(dir, filepath.Base(path)), dir, nil
}

// assemble joins the ecosystem file with the Compose project into a Stack.
func (s *ecosystem) assemble(ctx context.Context, file string, o Options) (*Stack, error) {
	out := &Stack{
		Name: s.name, Dir: s.dir, File: file, Profile: s.profile,
		LogDir: s.logDir, Build: s.build, RequiredEnv: s.env.required,
		origins: map[string]map[string]string{},
	}
	composeOK := s.loadContainers(ctx, out, o)
	if len(s.apps) == 0 && len(s.compose) == 0 && len(s.found) == 0 {
		s.at(nil, "there are no apps and no containers").Hint = "write `apps`, `compose`, or both"
	}
	if composeOK {
		s.connect(out)
	}
	for _, d := range s.apps {
		out.Overrides = append(out.Overrides, d.resolve(&s.env, s.dir)...)
		s.warn(d.checkInstances())
		var err error
		if d.Hash, err = d.hash(); err != nil {
			return nil, err
		}
		d.putPackagesOnPath(&s.env, s.dir) // after the hash: it follows from cwd, and no running app is to restart for it
		out.Apps = append(out.Apps, d.App)
		out.origins[d.Name] = d.origins
	}
	out.Warnings = s.warnings
	slices.Sort(out.Overrides)
	out.Overrides = slices.Compact(out.Overrides)
	for _, key := range s.env.required {
		if s.missing(out, key) {
			out.Missing = append(out.Missing, key)
		}
	}
	if out.Name == "" || o.Project != "" {
		out.Name = out.Project
	}
	return out, nil
}

// missing says that a required variable is set neither for all apps nor, in a stack without apps, at all.
func (s *ecosystem) missing(out *Stack, key string) bool {
	if len(out.Apps) == 0 {
		value, _ := s.env.lookup(key)
		return value == ""
	}
	return slices.ContainsFunc(out.Apps, func(a App) bool { return a.lacks(key) })
}

// loadContainers fills in the Compose project and its name; it says whether the services are known.
func (s *ecosystem) loadContainers(ctx context.Context, out *Stack, o Options) bool {
	var err error
	if len(s.compose) == 0 {
		if out.Project, err = projectName(o.Project, s.env.shell, s.dir); err != nil {
			s.at(nil, "%v", err)
		}
		return true
	}
	for i, path := range s.compose {
		if _, err := readRegular(path); err != nil {
			s.at(listed(s.composeNode)[i], "cannot read the Compose file %s: %v", path, plainCause(err))
			return false
		}
	}
	all, err := loadCompose(ctx, composeRequest{s.compose, o.Project, s.profile, o.Environment})
	if err != nil {
		s.composeError(err)
		return false
	}
	if !s.checkServices(all) {
		return false
	}
	if out.Compose, err = selectServices(all, s.services); err != nil {
		s.composeError(err)
		return false
	}
	if s.profile == pilot {
		bindLoopback(out.Compose)
	}
	out.Project = out.Compose.Name
	return true
}

// checkServices says whether every selected service exists.
func (s *ecosystem) checkServices(all *types.Project) bool {
	names := append(all.ServiceNames(), all.DisabledServiceNames()...)
	ok := true
	for i, name := range s.services {
		if !slices.Contains(names, name) {
			s.at(listed(s.servicesNode)[i], "%s has no service %q%s", filepath.Base(s.compose[0]), name, didYouMean(name, names))
			ok = false
		}
	}
	return ok
}
