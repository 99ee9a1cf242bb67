package drift

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	osfiles "devstack/procs/files"
	"devstack/profiles/prod"
)

// Observe reads the lock of an output directory and what is at the paths that it and the fresh files name. A directory
// that does not exist has nothing. Symbolic links are not followed out of it.
func Observe(dir string, fresh []prod.File) (Lock, Disk, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, Disk{}, nil
	}
	if err != nil {
		return Lock{}, nil, fmt.Errorf("cannot open the output directory: %w", err)
	}
	defer root.Close()
	at, there, err := look(root, LockName)
	if err != nil {
		return Lock{}, nil, err
	}
	if there && at.Other {
		return Lock{}, nil, fmt.Errorf("cannot read %s: it is not a file", LockName)
	}
	lock, err := ParseLock(at.Data)
	if err != nil {
		return Lock{}, nil, err
	}
	disk := Disk{}
	for _, name := range paths(lock, fresh) {
		found, there, err := look(root, name)
		if err != nil {
			return Lock{}, nil, err
		}
		if there {
			disk[name] = found
		}
	}
	return lock, disk, nil
}

func paths(lock Lock, fresh []prod.File) []string {
	var out []string
	for _, l := range lock.Files {
		out = append(out, l.Path)
	}
	for _, f := range fresh {
		out = append(out, f.Path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// look is what is at a path.
func look(root *os.Root, name string) (found Found, there bool, err error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Found{}, false, nil
	case err != nil:
		return Found{}, false, fmt.Errorf("cannot look at %s: %w", name, err)
	case !info.Mode().IsRegular():
		return Found{Other: true}, true, nil
	}
	data, err := root.ReadFile(name)
	if err != nil {
		return Found{}, false, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return Found{Data: data}, true, nil
}

// Apply brings an output directory to the fresh export and returns the paths that it wrote or removed, in order. When one
// file is refused nothing is touched, and the error is an *Error. Files are replaced whole; the lock is written last, so
// that a run that ends in the middle leaves files that the next one recognises.
func Apply(dir, target string, disk Disk, statuses []Status, fresh []prod.File) ([]string, error) {
	var refused []Status
	for _, s := range statuses {
		if s.Action == Refuse {
			refused = append(refused, s)
		}
	}
	if len(refused) > 0 {
		return nil, &Error{refused}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the output directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the output directory: %w", err)
	}
	defer root.Close()
	w := writer{root: root, disk: disk}
	for _, s := range statuses {
		switch s.Action {
		case Write:
			i := slices.IndexFunc(fresh, func(f prod.File) bool { return f.Path == s.Path })
			w.write(s.Path, fresh[i].Data)
		case Remove:
			w.remove(s.Path)
		}
	}
	lock := NewLock(target, fresh).Bytes()
	if w.err != nil {
		return w.done, w.err
	}
	at, there, err := look(root, LockName)
	if err != nil {
		return w.done, err
	}
	if !there || !bytes.Equal(at.Data, lock) {
		w.replace(LockName, lock)
	}
	return w.done, w.err
}

// writer changes files until one change fails.
type writer struct {
	root *os.Root
	disk Disk
	done []string
	err  error
}

// unchanged says whether a path still is as it was observed.
func (w *writer) unchanged(name string) bool {
	found, there, err := look(w.root, name)
	before, known := w.disk[name]
	if err == nil && (there != known || there && (found.Other || before.Other || !bytes.Equal(found.Data, before.Data))) {
		err = fmt.Errorf("somebody else has just changed %s", name)
	}
	if err != nil {
		w.err = err
	}
	return err == nil
}

func (w *writer) write(name string, data []byte) {
	if w.err != nil || !w.unchanged(name) {
		return
	}
	if _, known := w.disk[name]; known {
		w.replace(name, data)
		return
	}
	w.create(name, data)
}

// replace puts data in the place of a file at once.
func (w *writer) replace(name string, data []byte) {
	w.finish(name, data, func(temporary string) error { return w.root.Rename(temporary, name) })
}

// create fails when there is a file by now.
func (w *writer) create(name string, data []byte) {
	w.finish(name, data, func(temporary string) error {
		err := w.root.Link(temporary, name)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		if _, there, err := look(w.root, name); err != nil || there {
			return cmp.Or(err, fs.ErrExist)
		}
		return w.root.Rename(temporary, name) // a file system without hard links
	})
}

// finish writes a file beside the place where it is to be, and puts it there.
func (w *writer) finish(name string, data []byte, put func(temporary string) error) {
	folder := path.Dir(name)
	if err := w.root.MkdirAll(folder, 0o755); err != nil {
		w.err = fmt.Errorf("cannot make %s: %w", folder, err)
		return
	}
	err := osfiles.Stage(w.root, name, data, 0o644, put)
	if err != nil {
		w.err = fmt.Errorf("cannot write %s: %w", name, err)
		return
	}
	w.done = append(w.done, name)
}

func (w *writer) remove(name string) {
	if w.err != nil || !w.unchanged(name) {
		return
	}
	if err := w.root.Remove(name); err != nil {
		w.err = fmt.Errorf("cannot remove %s: %w", name, err)
		return
	}
	w.done = append(w.done, name)
	for folder := path.Dir(name); folder != "." && !strings.HasPrefix(folder, ".."); folder = path.Dir(folder) {
		if err := w.root.Remove(folder); err != nil { // not empty
			return
		}
	}
}
