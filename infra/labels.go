package infra

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"devstack/stack"
)

// The labels of Docker Compose. devstack writes these and no others, so that both see and adopt each other's containers.
const (
	LabelProject     = "com.docker.compose.project"
	LabelService     = "com.docker.compose.service"
	LabelVersion     = "com.docker.compose.version"
	LabelWorkingDir  = "com.docker.compose.project.working_dir"
	LabelConfigFiles = "com.docker.compose.project.config_files"
	LabelOneoff      = "com.docker.compose.oneoff"
	LabelHash        = "com.docker.compose.config-hash"
	LabelNumber      = "com.docker.compose.container-number"
	LabelDependsOn   = "com.docker.compose.depends_on"
	LabelImage       = "com.docker.compose.image"
	LabelReplace     = "com.docker.compose.replace"
	LabelNetwork     = "com.docker.compose.network"
	LabelVolume      = "com.docker.compose.volume"
)

// ComposeVersion is the version of Docker Compose whose labels, names and hashes devstack writes.
const ComposeVersion = "5.6.0"

// ContainerLabels are the service's own labels and, above them, Compose's.
func ContainerLabels(c Create) (map[string]string, error) {
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
		LabelProject:     p.Name,
		LabelService:     s.Name,
		LabelVersion:     ComposeVersion,
		LabelWorkingDir:  p.WorkingDir,
		LabelConfigFiles: strings.Join(p.ComposeFiles, ","),
		LabelOneoff:      "False",
		LabelHash:        hash,
		LabelNumber:      "1",
		LabelDependsOn:   strings.Join(dependencies, ","),
		LabelImage:       c.ImageID,
	})
	if c.Replaces != nil {
		labels[LabelReplace] = c.Replaces.Name
	}
	return labels, nil
}
