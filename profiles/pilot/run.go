package pilot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"devstack/procs/files"
)

// Runner runs a command line as root, in dir (empty: /), with env beside a PATH and what the caller's environment says of
// proxies.
type Runner func(ctx context.Context, argv []string, dir string, env []string) error

// Commands is the Runner of this machine; what the commands write goes to out.
func Commands(out io.Writer) Runner {
	return func(ctx context.Context, argv []string, dir string, env []string) error {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		if cmd.Dir = dir; dir == "" {
			cmd.Dir = "/"
		}
		cmd.Env = slices.Concat([]string{"PATH=" + defaultPath + ":/sbin:/bin", "LC_ALL=C.UTF-8"}, network(os.Environ()), env)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // a half-done dpkg would be in everybody's way
		if err := cmd.Run(); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return fmt.Errorf("cannot run %s: %w", strings.Join(argv, " "), err)
		}
		return nil
	}
}

// network is what an environment says of the way to package registries.
func network(environ []string) (some []string) {
	for _, variable := range environ {
		switch name, _, _ := strings.Cut(variable, "="); strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR":
			some = append(some, variable)
		}
	}
	return some
}

// ask runs a command and returns what it says, whatever its exit code is; empty if it cannot be run.
func ask(ctx context.Context, argv ...string) string {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + defaultPath + ":/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
	out, _ := cmd.Output() //nolint:errcheck // what did not answer is absent
	return string(out)
}

// Carry does an action.
func Carry(ctx context.Context, a Action, run Runner) error {
	switch {
	case a.Write != nil:
		return writeFile(a.Write.Path, os.FileMode(a.Write.Mode), []byte(a.Write.Text))
	case a.Copy[0] != "":
		data, err := os.ReadFile(a.Copy[0])
		if err != nil {
			return err
		}
		return writeFile(a.Copy[1], 0o755, data)
	case a.Remove != "":
		if err := os.Remove(a.Remove); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if a.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.Limit)
		defer cancel()
	}
	return run(ctx, a.Run, a.Dir, a.Env)
}

func writeFile(path string, mode os.FileMode, content []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = files.Replace(path, content, mode)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
