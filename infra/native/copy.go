package native

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// copyTree copies a directory of plain files for an account. io.Copy shares the blocks where the file system can.
func copyTree(from, to string, user account) error {
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
			return user.private(target)
		}
		work.Go(func() error { return copyFile(path, target, user) })
		return nil
	})
	if other := work.Wait(); err == nil {
		err = other
	}
	return err
}

func copyFile(from, to string, user account) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return user.own(to)
}
