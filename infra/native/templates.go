package native

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"
)

// templates is a directory of data directories as initdb has made them, to be copied: initdb takes a second.
type templates string

// get is a directory that initdb has made, for every database that has the same version, superuser and arguments. It appears
// in one step; of two that are made at once, one stays.
func (t templates) get(ctx context.Context, v *server) (string, error) {
	extra, err := shellwords.Parse(v.Definition.Env["POSTGRES_INITDB_ARGS"])
	if err != nil {
		return "", fmt.Errorf("POSTGRES_INITDB_ARGS: %w", err)
	}
	locale := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		locale = "en_US.UTF-8"
	}
	args := append([]string{"-U", v.Definition.Login.User, "-A", "trust", "-E", "UTF8", "--locale=" + locale, "--no-sync"}, extra...)
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%q\n%d", v.Program.id(), args, v.user.uid))
	final := filepath.Join(string(t), fmt.Sprintf("postgres-%s-%x", v.Program.Version, key[:6]))
	if whole(final) {
		return final, v.user.enter(string(t))
	}
	if err := v.user.open(string(t)); err != nil {
		return "", err
	}
	t.sweep()
	room, err := os.MkdirTemp(string(t), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(room)
	if err := v.user.own(room); err != nil {
		return "", err
	}
	fresh := filepath.Join(room, "data")
	if err := v.execute(ctx, room, "", v.Program.tool("initdb"), append([]string{"-D", fresh}, args...)...); err != nil {
		return "", err
	}
	if !whole(fresh) {
		return "", fmt.Errorf("initdb has not made %s", fresh)
	}
	if err := os.Rename(fresh, final); err != nil && !whole(final) { // else somebody else was faster
		return "", err
	}
	return final, nil
}

// whole says whether a template is there. The user who may have made it could have put a link in its place.
func whole(template string) bool {
	info, err := os.Lstat(template)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = os.Lstat(filepath.Join(template, "PG_VERSION"))
	return err == nil
}

// sweep removes what a killed initdb has left.
func (t templates) sweep() {
	found, _ := entries(string(t))
	for _, name := range found {
		dir := filepath.Join(string(t), name)
		if info, err := os.Stat(dir); err == nil && strings.HasPrefix(name, ".new-") && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(dir)
		}
	}
}
