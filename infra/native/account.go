package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sync/errgroup"

	"devstack/infra"
)

// account is the user that a server runs as; 0: our own.
type account struct {
	uid, gid int
	name     string
}

// accountOf is our own account. Root's servers get the one that their package has made, else nobody's: postgres refuses root.
func accountOf(k kind) (account, error) {
	if os.Getuid() != 0 {
		return account{}, nil
	}
	names := []string{string(k), "nobody"}
	if k == valkey {
		names = []string{"valkey", "redis", "nobody"}
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if uid != 0 {
			return account{uid: uid, gid: gid, name: name}, nil
		}
	}
	return account{}, fmt.Errorf("cannot run %s as root, and there is no user %s or nobody", k, k)
}

func (a account) own(path string) error {
	if a.uid == 0 {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// write makes a file of mode 0600 that the account owns. It is a new one: a link that the account may have put there must
// not lead root elsewhere.
func (a account) write(path string, from io.Reader) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil && a.uid != 0 {
		err = f.Chown(a.uid, a.gid)
	}
	return errors.Join(err, f.Close())
}

// open makes a directory that the account can get to. What is there already stays as it is.
func (a account) open(dir string) error {
	var missing []string
	for at := dir; !isDir(at); at = filepath.Dir(at) {
		missing = append(missing, at)
	}
	for _, at := range slices.Backward(missing) {
		err := os.Mkdir(at, 0o711)
		if (err == nil || os.IsExist(err)) && a.uid != 0 {
			err = os.Chmod(at, 0o711) // the umask may have closed it
		}
		if err != nil && !os.IsExist(err) {
			return fmt.Errorf("cannot make a directory for native services: %w", err)
		}
	}
	return a.enter(dir)
}

// enter says which directory on the way is closed to the account.
func (a account) enter(dir string) error {
	if a.uid == 0 {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		open := info.Mode()&0o001 != 0 || ok && int(stat.Uid) == a.uid && info.Mode()&0o100 != 0
		if !open {
			return &infra.Error{
				Kind: infra.Failed, Message: fmt.Sprintf("the server runs as the user %s, who cannot enter %s", a.name, at),
				Hint: "chmod o+x " + at + ", or set XDG_DATA_HOME and XDG_CACHE_HOME to directories that every user can enter",
			}
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// private makes an empty directory of mode 0700 that the account owns.
func (a account) private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return a.own(dir)
}

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
