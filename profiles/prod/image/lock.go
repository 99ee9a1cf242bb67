package image

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseLock is the workspace's packages, as its lock file has them.
func parseLock(manager, name string, data []byte) ([]Package, error) {
	if manager == "pnpm" {
		return parsePNPM(name, data)
	}
	return parseNPM(name, data)
}

// parseNPM: a key of packages outside of node_modules is a package of the workspace; a link below node_modules leads there.
func parseNPM(name string, data []byte) ([]Package, error) {
	var lock struct {
		Packages map[string]struct {
			Resolved             string            `json:"resolved"`
			Link                 bool              `json:"link"`
			Dependencies         map[string]string `json:"dependencies"`
			OptionalDependencies map[string]string `json:"optionalDependencies"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, refuse(name, err.Error(), "")
	}
	if _, has := lock.Packages[""]; !has {
		return nil, refuse(name, "it is of a format that npm 7 and newer do not write", "write it anew with npm install")
	}
	links := map[string]string{}
	for key, p := range lock.Packages {
		if p.Link {
			links[strings.TrimPrefix(key, "node_modules/")] = p.Resolved
		}
	}
	var out []Package
	for _, key := range slices.Sorted(maps.Keys(lock.Packages)) {
		if strings.HasPrefix(key, "node_modules/") || strings.Contains(key, "/node_modules/") {
			continue
		}
		p := Package{Dir: path.Clean(key)}
		for _, list := range []map[string]string{lock.Packages[key].Dependencies, lock.Packages[key].OptionalDependencies} {
			for dependency := range list {
				if to := links[dependency]; to != "" {
					p.Needs = append(p.Needs, to)
				}
			}
		}
		slices.Sort(p.Needs)
		out = append(out, p)
	}
	return out, nil
}

// parsePNPM: the importers are the workspace, and their link: versions lead from one to another.
func parsePNPM(name string, data []byte) ([]Package, error) {
	type versions map[string]struct {
		Version string `yaml:"version"`
	}
	var lock struct {
		Importers map[string]struct {
			Dependencies         versions `yaml:"dependencies"`
			OptionalDependencies versions `yaml:"optionalDependencies"`
		} `yaml:"importers"`
	}
	if err := yaml.Unmarshal(data, &lock); err != nil {
		return nil, refuse(name, err.Error(), "")
	}
	if _, has := lock.Importers["."]; !has {
		return nil, refuse(name, "it is of a format that pnpm 9 and newer do not write", "write it anew with pnpm install")
	}
	var out []Package
	for _, dir := range slices.Sorted(maps.Keys(lock.Importers)) {
		p := Package{Dir: dir}
		for _, list := range []versions{lock.Importers[dir].Dependencies, lock.Importers[dir].OptionalDependencies} {
			for _, d := range list {
				if to, ok := strings.CutPrefix(d.Version, "link:"); ok {
					p.Needs = append(p.Needs, path.Join(dir, to))
				}
			}
		}
		slices.Sort(p.Needs)
		out = append(out, p)
	}
	return out, nil
}
