package docker

import (
	"maps"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
)

// partLabels are those of a network or volume.
func partLabels(own types.Labels, project, kind, key, hash string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, own)
	maps.Copy(labels, map[string]string{
		infra.LabelProject: project, kind: key, infra.LabelVersion: infra.ComposeVersion, infra.LabelHash: hash,
	})
	return labels
}
