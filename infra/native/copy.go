package native

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// copyTree copies a directory of plain files for an account, who cannot enter it before it is whole. Blocks are shared where
// the file system can.
func copyTree(from, to string, user account) error {
	var dirs []string
	var work errgroup.Group
	work.SetLimit(8)
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			dirs = append(dirs, target)
			return os.Mkdir(target, 0o700)
		}
		work.Go(func() error { return copyFile(path, target, user) })
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

func copyFile(from, to string, user account) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return user.write(to, in)
}
