package docker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/stack"
)

// containerLabels are the service's own labels and, above them, Compose's.
func containerLabels(c infra.Create) (map[string]string, error) {
	p, s := c.Project, c.Service
	hash, err := stack.ServiceHash(s)
	if err != nil {
		return nil, err
	}
	var dependencies []string
	for name, d := range s.DependsOn {
		dependencies = append(dependencies, fmt.Sprintf("%s:%s:%t", name, d.Condition, d.Restart))
	}
	slices.Sort(dependencies)
	labels := map[string]string{}
	maps.Copy(labels, s.Labels)
	maps.Copy(labels, map[string]string{
		infra.LabelProject:     p.Name,
		infra.LabelService:     s.Name,
		infra.LabelVersion:     infra.ComposeVersion,
		infra.LabelWorkingDir:  p.WorkingDir,
		infra.LabelConfigFiles: strings.Join(p.ComposeFiles, ","),
		infra.LabelOneoff:      "False",
		infra.LabelHash:        hash,
		infra.LabelNumber:      "1",
		infra.LabelDependsOn:   strings.Join(dependencies, ","),
		infra.LabelImage:       c.ImageID,
	})
	if c.Replaces != nil {
		labels[infra.LabelReplace] = c.Replaces.Name
	}
	return labels, nil
}

// partLabels are those of a network or volume.
func partLabels(own types.Labels, project, kind, key, hash string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, own)
	maps.Copy(labels, map[string]string{
		infra.LabelProject: project, kind: key, infra.LabelVersion: infra.ComposeVersion, infra.LabelHash: hash,
	})
	return labels
}
