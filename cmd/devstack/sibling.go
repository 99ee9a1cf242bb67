package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"devstack/daemon/api"
)

// siblingPath is the devstackd that was installed with this executable: beside it, symlinks resolved.
func siblingPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "devstackd")
	if _, err := os.Stat(path); err != nil {
		return "", &api.Error{
			Exit:    api.ExitBug,
			Message: "devstackd is missing: it belongs beside " + self,
			Hint:    "install both executables together: make build",
		}
	}
	return path, nil
}

// runSibling hands the command over to devstackd.
func runSibling(ctx context.Context, io *IOStreams, args []string) error {
	cmd, err := siblingCommand(ctx, args)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.In, io.Out, io.Err
	return siblingError(cmd.Run())
}

func siblingOutput(ctx context.Context, io *IOStreams, args []string) ([]byte, error) {
	cmd, err := siblingCommand(ctx, args)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Err
	err = siblingError(cmd.Run())
	return out.Bytes(), err
}

// siblingCommand lets an interrupt, which the terminal sends to both, end the sibling in its own way.
func siblingCommand(ctx context.Context, args []string) (*exec.Cmd, error) {
	path, err := siblingPath()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd, nil
}

// siblingError is the exit code as an error: the sibling has already said why.
func siblingError(err error) error {
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		return err
	case exit.ExitCode() < 0:
		return &exitError{api.ExitBug}
	}
	return &exitError{api.Code(exit.ExitCode())}
}
