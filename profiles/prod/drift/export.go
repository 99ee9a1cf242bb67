package drift

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"devstack/profiles/prod"
	"devstack/stack"
)

// Check says how every file of an export stands. It writes nothing.
func Check(dir, target string, rendered []prod.File) ([]Status, error) {
	s, err := observe(dir, rendered)
	if err != nil {
		return nil, err
	}
	return Compare(target, s.lock, s.disk, s.fresh), nil
}

// Export writes an export and returns the paths, relative to dir, that it changed. When somebody's edit is in the way
// nothing is written, and the error is an *Error.
func Export(dir, target string, rendered []prod.File) ([]string, error) {
	s, err := observe(dir, rendered)
	if err != nil {
		return nil, err
	}
	return Apply(dir, target, s.disk, Compare(target, s.lock, s.disk, s.fresh), s.fresh)
}

// ExportAdopting is Export that first makes an overlay of every edit. base gives the bytes of a file that have a hash,
// from version control, where an edit and the definitions have both changed; nil: it does not know. When one edit cannot be
// adopted nothing is written, and the error is an *Error or stack.Errors.
func ExportAdopting(dir, target string, rendered []prod.File, base func(path, sha256 string) []byte) ([]string, error) {
	s, err := observe(dir, rendered)
	if err != nil {
		return nil, err
	}
	var made []Overlay
	var found stack.Errors
	for _, status := range Compare(target, s.lock, s.disk, s.fresh) {
		if !s.adoptable(status) {
			continue
		}
		before := s.written(status.Path)
		if status.State == Conflict {
			before = nil
			if base != nil {
				before = base(status.Path, s.lock.hash(status.Path))
			}
		}
		o, err := Adopt(status.Path, s.lock, before, s.disk[status.Path].Data, s.overlays)
		var problem *stack.Error
		switch {
		case errors.As(err, &problem):
			found = append(found, problem)
		case err != nil:
			return nil, err
		default:
			made = append(made, o)
			s.lock = s.lock.Taking(status.Path, s.disk[status.Path].Data)
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	if s.fresh, err = Merge(rendered, slices.Concat(s.overlays, made)); err != nil {
		return nil, err
	}
	statuses := Compare(target, s.lock, s.disk, s.fresh)
	if Worst(statuses).Exit() > Stale.Exit() {
		return Apply(dir, target, s.disk, statuses, s.fresh)
	}
	done, err := create(dir, made)
	if err != nil {
		return done, err
	}
	changed, err := Apply(dir, target, s.disk, statuses, s.fresh)
	return append(done, changed...), err
}

// side is everything that an export depends on.
type side struct {
	lock     Lock
	disk     Disk
	overlays []Overlay
	fresh    []prod.File
}

func observe(dir string, rendered []prod.File) (side, error) {
	var s side
	var err error
	if s.overlays, err = Overlays(dir); err != nil {
		return s, err
	}
	if s.fresh, err = Merge(rendered, s.overlays); err != nil {
		return s, err
	}
	s.lock, s.disk, err = Observe(dir, s.fresh)
	return s, err
}

// adoptable are edits of files that are still exported.
func (s side) adoptable(status Status) bool {
	return status.Action == Refuse && s.lock.hash(status.Path) != "" && !s.disk[status.Path].Other && s.written(status.Path) != nil
}

// written is what an export would write.
func (s side) written(name string) []byte {
	for _, f := range s.fresh {
		if f.Path == name {
			return f.Data
		}
	}
	return nil
}

// Overlays are the adopted edits in an output directory, by path.
func Overlays(dir string) ([]Overlay, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the output directory: %w", err)
	}
	defer root.Close()
	var out []Overlay
	err = fs.WalkDir(root.FS(), Folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == Folder:
			return fs.SkipAll
		case err != nil:
			return err
		case d.IsDir() || strings.HasPrefix(path.Base(name), "."):
			return nil
		}
		data, err := root.ReadFile(name)
		out = append(out, Overlay{name, data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the adopted edits: %w", err)
	}
	return out, nil
}

// create makes overlays, which must not exist.
func create(dir string, overlays []Overlay) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the output directory: %w", err)
	}
	defer root.Close()
	w := writer{root: root}
	for _, o := range overlays {
		if w.err == nil {
			w.create(o.Path, o.Data)
		}
	}
	return w.done, w.err
}
