package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// kubectl runs the user's kubectl on one context and namespace.
type kubectl struct{ context, namespace string }

func (k kubectl) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "kubectl", append([]string{"--context", k.context, "--namespace", k.namespace}, args...)...)
}

// run is what kubectl prints.
func (k kubectl) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := k.command(ctx, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	return output(ctx, cmd, "kubectl "+args[0])
}

// pushImage puts an image of this machine's engine into a registry and is its reference there, by digest.
func pushImage(ctx context.Context, image, registry, repository string) (string, error) {
	name := registry + "/" + repository
	if _, err := docker(ctx, "tag", image, name+":rehearsal"); err != nil {
		return "", err
	}
	_, err := docker(ctx, "push", "--quiet", name+":rehearsal")
	var digests string
	if err == nil {
		digests, err = docker(ctx, "image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", name+":rehearsal")
	}
	if _, gone := docker(ctx, "image", "rm", name+":rehearsal"); err == nil {
		err = gone
	}
	if err != nil {
		return "", err
	}
	for digest := range strings.Lines(digests) {
		if strings.HasPrefix(digest, name+"@") {
			return strings.TrimSpace(digest), nil
		}
	}
	return "", fmt.Errorf("cannot push %s: docker tells no digest", name)
}

// versions are the cluster's, for the report.
func (k kubectl) versions(ctx context.Context) string {
	out, err := k.run(ctx, nil, "get", "nodes", "-o", "json")
	var nodes struct {
		Items []struct {
			Status struct {
				NodeInfo struct {
					Kubelet string `json:"kubeletVersion"`
					Runtime string `json:"containerRuntimeVersion"`
				} `json:"nodeInfo"`
			} `json:"status"`
		} `json:"items"`
	}
	if err != nil || json.Unmarshal(out, &nodes) != nil || len(nodes.Items) == 0 {
		return "the cluster does not tell the versions of its nodes"
	}
	info := nodes.Items[0].Status.NodeInfo
	return fmt.Sprintf("%s, Kubernetes %s, %s", plural(len(nodes.Items), "node"), info.Kubelet, strings.Replace(info.Runtime, "://", " ", 1))
}
