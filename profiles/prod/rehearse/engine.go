package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// runIn runs a program with variables above the caller's environment and is what it prints.
func runIn(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := output(ctx, cmd, name+" "+firstWord(args))
	return string(out), err
}

// output is what a program prints. Its error ends with what the program said on the side, and has nothing of what it
// printed: that may be an environment.
func output(ctx context.Context, cmd *exec.Cmd, what string) ([]byte, error) {
	var out, side bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &side
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return out.Bytes(), fmt.Errorf("cannot run %s: %w%s", what, err, lastLines(side.String(), 8))
	}
	return out.Bytes(), nil
}

// docker asks the engine that the docker command finds.
func docker(ctx context.Context, args ...string) (string, error) {
	out, err := runIn(ctx, nil, "docker", args...)
	return strings.TrimSpace(out), err
}

// dockerBoth is what a command prints on both outputs, as one text: a container's log.
func dockerBoth(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	return string(out), err
}

// dockerStream hands what the docker command prints to read, as it comes.
func dockerStream(ctx context.Context, read func(io.Reader) error, args ...string) error {
	var side bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stderr = &side
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := read(out)
	if failed != nil {
		_ = cmd.Process.Kill()
	}
	if err := errors.Join(failed, cmd.Wait()); err != nil {
		return fmt.Errorf("cannot run docker %s: %w%s", firstWord(args), err, lastLines(side.String(), 5))
	}
	return nil
}

// composeCommand is how docker compose is called here: the plugin, or the program of its own.
func composeCommand(ctx context.Context) ([]string, error) {
	if _, err := docker(ctx, "compose", "version"); err == nil {
		return []string{"docker", "compose"}, nil
	}
	if path, err := exec.LookPath("docker-compose"); err == nil {
		return []string{path}, nil
	}
	return nil, errors.New("cannot find docker compose, neither as a plugin of the docker command nor as docker-compose")
}

// firstWord is the subcommand; the rest may be long, or hold a password.
func firstWord(args []string) string {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			return a
		}
	}
	return ""
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	return "\n" + strings.Join(lines, "\n")
}
