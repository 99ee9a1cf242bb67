package stack

import (
	"encoding/json"
	"path/filepath"
	"slices"
)

// Config is the resolved configuration for people and scripts: every value with where it comes from.
type Config struct {
	Name        string      `json:"name"`
	Project     string      `json:"project"`
	Profile     string      `json:"profile"`
	File        string      `json:"file"`
	Dir         string      `json:"dir"`
	LogDir      string      `json:"log_dir"`
	Build       *Build      `json:"build"`
	RequiredEnv []string    `json:"required_env"`
	Missing     []string    `json:"missing_env"`
	Overrides   []string    `json:"overridden_env"` // declared variables whose value in the caller's shell wins
	Order       [][]string  `json:"order"`          // names that start together, in the order of starting
	Apps        []AppConfig `json:"apps"`
	Compose     any         `json:"compose"` // the selected part of the Compose project, null without containers
}

// AppConfig is one app.
type AppConfig struct {
	Name        string     `json:"name"`
	Settings    []Setting  `json:"settings"`    // every key, in the order of the documentation
	Environment []Variable `json:"environment"` // sorted
	Hash        string     `json:"hash"`
}

// Setting is the value of one key and its origin: default, profile pilot (built in), defaults, app, profile defaults or profile app.
type Setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

// Config resolves everything for display. Secrets are masked unless they are asked for.
func (s *Stack) Config(showSecrets bool) (*Config, error) {
	c := &Config{
		Name: s.Name, Project: s.Project, Profile: s.Profile, File: s.File, Dir: s.Dir, LogDir: s.LogDir,
		RequiredEnv: notNil(s.RequiredEnv), Missing: notNil(s.Missing), Overrides: notNil(s.Overrides),
		Order: notNil(s.Layers()), Apps: []AppConfig{},
	}
	if s.Build != nil {
		b := *s.Build
		if !showSecrets {
			b.Command = MaskArgs(b.Command)
		}
		c.Build = &b
	}
	for i := range s.Apps {
		c.Apps = append(c.Apps, s.appConfig(&s.Apps[i], showSecrets))
	}
	if s.Compose == nil {
		return c, nil
	}
	data, err := s.Compose.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &c.Compose); err != nil {
		return nil, err
	}
	if !showSecrets {
		c.Compose = maskTree("", c.Compose)
	}
	return c, nil
}

func (s *Stack) appConfig(a *App, showSecrets bool) AppConfig {
	out := AppConfig{Name: a.Name, Hash: a.Hash, Environment: slices.Clone(a.Environment)}
	for _, k := range appKeys {
		if k.show == nil {
			continue
		}
		origin := s.origins[a.Name][k.name]
		if origin == "" {
			origin = fromDefault
		}
		value := k.show(a)
		if args, ok := value.([]string); ok && !showSecrets {
			value = MaskArgs(args)
		}
		out.Settings = append(out.Settings, Setting{k.name, value, origin})
	}
	if !showSecrets {
		for i, v := range out.Environment {
			out.Environment[i].Value = Mask(v.Key, v.Value)
		}
	}
	return out
}

// maskTree masks the strings in a tree by the key that they stand under.
func maskTree(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			v[k] = maskTree(k, child)
		}
	case []any:
		args := make([]string, len(v))
		for i, child := range v {
			text, ok := child.(string)
			if !ok {
				v[i] = maskTree(key, child)
			}
			args[i] = text
		}
		for i, arg := range MaskArgs(args) {
			if _, ok := v[i].(string); ok {
				v[i] = arg
			}
		}
	case string:
		return Mask(key, v)
	}
	return v
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Artifacts are the absolute paths of the scripts that must exist before the named apps can start, in file order. No
// names mean the apps that start by themselves.
func (s *Stack) Artifacts(names ...string) []string {
	var out []string
	for _, a := range s.Apps {
		wanted := slices.Contains(names, a.Name) || len(names) == 0 && a.Autostart
		if wanted && a.Script != "" && !slices.Contains(out, a.Script) {
			out = append(out, a.Script)
		}
	}
	return out
}

// Rel is a path as people write it: relative to the stack's directory when it is inside it.
func (s *Stack) Rel(path string) string { return relative(s.Dir, path) }

func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
