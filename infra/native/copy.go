package native

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// copyTree copies a directory of plain files for an account, who cannot enter it before it is whole. What else is in it, such
// as a link that the account has put there, is an error. Blocks are shared where the file system can.
func copyTree(from, to string, user account) (err error) {
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var dirs []string
	var work errgroup.Group
	work.SetLimit(8)
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, path)
		if e.IsDir() {
			dirs = append(dirs, target)
			return os.Mkdir(target, 0o700)
		}
		work.Go(func() error { return copyFile(root, path, target, user) })
		return nil
	})
	if other := work.Wait(); err == nil {
		err = other
	}
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := user.own(dir); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(root *os.Root, path, to string, user account) error {
	in, err := onlyPlain(root.OpenFile(path, noTraps, 0))
	if err != nil {
		return err
	}
	defer in.Close()
	return user.write(to, in)
}
