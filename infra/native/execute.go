package native

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// command is one program that runs to its end.
type command struct {
	argv  []string
	dir   string
	input string // never logged: it has passwords
	user  account
}

// execute returns what the program wrote. Its error has the end of that.
func execute(ctx context.Context, c command) (string, error) {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Stdin = c.dir, strings.NewReader(c.input)
	cmd.Env = serverEnv(c.dir)
	if c.user.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(c.user.uid), Gid: uint32(c.user.gid)}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(out.String())
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(c.argv[0]), err, text[max(0, len(text)-1000):])
	}
	return out.String(), nil
}

// serverEnv is the environment of servers and of their tools: nothing of the caller's leaks in, and their logs are in UTC.
func serverEnv(home string) []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + home, "LANG=C", "LC_ALL=C", "TZ=UTC"}
}
