package rehearse

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// kubectl runs the user's kubectl on one context and namespace.
type kubectl struct{ context, namespace string }

func (k kubectl) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "kubectl", append([]string{"--context", k.context, "--namespace", k.namespace}, args...)...)
}

// run is what kubectl prints. What it says on the side is in the error alone.
func (k kubectl) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := k.command(ctx, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	return output(cmd, "kubectl "+args[0])
}

func output(cmd *exec.Cmd, what string) ([]byte, error) {
	var out, side bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &side
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(side.String()); said != "" {
			return out.Bytes(), fmt.Errorf("cannot run %s: %w: %s", what, err, said)
		}
		return out.Bytes(), fmt.Errorf("cannot run %s: %w", what, err)
	}
	return out.Bytes(), nil
}

// pushImage puts an image of this machine's engine into a registry and is its reference there, by digest.
func pushImage(ctx context.Context, image, registry, repository string) (string, error) {
	name := registry + "/" + repository
	docker := func(args ...string) ([]byte, error) {
		return output(exec.CommandContext(ctx, "docker", args...), "docker "+args[0])
	}
	if _, err := docker("tag", image, name+":rehearsal"); err != nil {
		return "", err
	}
	_, err := docker("push", "--quiet", name+":rehearsal")
	var digests []byte
	if err == nil {
		digests, err = docker("image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", name+":rehearsal")
	}
	if _, gone := docker("image", "rm", name+":rehearsal"); err == nil {
		err = gone
	}
	if err != nil {
		return "", err
	}
	for digest := range strings.Lines(string(digests)) {
		if strings.HasPrefix(digest, name+"@") {
			return strings.TrimSpace(digest), nil
		}
	}
	return "", fmt.Errorf("cannot push %s: docker tells no digest", name)
}
