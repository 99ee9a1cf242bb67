package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"devstack/infra"
)

// layout says where things are:
//
//	<data>/<ID>/<project>/records/<container>.json   what a "container" is, mode 0600: it has passwords
//	<data>/<ID>/<project>/services/<service>/        outlives its containers: data/, lock, log, log.1, port, files/
//	<cache>/templates/<name>/                        data directories as initdb has made them
type layout struct {
	data  string
	cache string
	id    string
}

// newLayout follows the XDG base directories. Servers of root run as other users, to whom /root is closed: it has its own.
func newLayout(env map[string]string, id string) (layout, error) {
	data, cache, home := env["XDG_DATA_HOME"], env["XDG_CACHE_HOME"], env["HOME"]
	switch {
	case data != "" && !filepath.IsAbs(data), cache != "" && !filepath.IsAbs(cache):
		return layout{}, fmt.Errorf("XDG_DATA_HOME and XDG_CACHE_HOME must be absolute paths: %q, %q", data, cache)
	case data == "" && os.Getuid() == 0:
		data = "/var/lib"
	case data == "" && !filepath.IsAbs(home):
		return layout{}, fmt.Errorf("cannot tell where the data of native services are: HOME is %q", home)
	case data == "":
		data = filepath.Join(home, ".local/share")
	}
	switch {
	case cache == "" && os.Getuid() == 0:
		cache = "/var/cache"
	case cache == "" && !filepath.IsAbs(home):
		return layout{}, fmt.Errorf("cannot tell where the cache of native services is: HOME is %q", home)
	case cache == "":
		cache = filepath.Join(home, ".cache")
	}
	return layout{data: filepath.Join(data, "devstack"), cache: filepath.Join(cache, "devstack"), id: id}, nil
}

func (l layout) project(name string) string { return filepath.Join(l.data, l.id, name) }

func (l layout) records(project string) string { return filepath.Join(l.project(project), "records") }

// services are the places of a project's services.
func (l layout) services(project string) ([]place, error) {
	dir := filepath.Join(l.project(project), "services")
	found, err := entries(dir)
	places := make([]place, 0, len(found))
	for _, name := range found {
		places = append(places, place(filepath.Join(dir, name)))
	}
	return places, err
}

// entries are the names in a directory, none if it is not there. No name of it is taken for a pattern.
func entries(dir string) ([]string, error) {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	var names []string
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names, err
}

func (l layout) templates() string { return filepath.Join(l.cache, "templates") }

func (l layout) place(project, service string) place {
	return place(filepath.Join(l.project(project), "services", service))
}

// place is the directory of one service. The data in it belong to the server's user, the rest to who runs devstack.
type place string

func (p place) data() string  { return filepath.Join(string(p), "data") }
func (p place) lock() string  { return filepath.Join(string(p), "lock") }
func (p place) log() string   { return filepath.Join(string(p), "log") }
func (p place) port() string  { return filepath.Join(string(p), "port") }
func (p place) files() string { return filepath.Join(string(p), "files") }

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
	for _, name := range []string{string(k), string(redis), "nobody"} {
		if k == postgres && name == string(redis) {
			continue
		}
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
	if err := a.makeOpen(dir); err != nil {
		return fmt.Errorf("cannot make a directory for native services: %w", err)
	}
	return a.enter(dir)
}

func (a account) makeOpen(dir string) error {
	if isDir(dir) {
		return nil
	}
	if err := a.makeOpen(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o711); err != nil && !os.IsExist(err) {
		return err
	}
	if a.uid == 0 {
		return nil
	}
	return os.Chmod(dir, 0o711) // the umask may have closed it
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
