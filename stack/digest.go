package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// digestLimits bound what one digest reads.
type digestLimits struct {
	entries int   // files and directories that are looked at
	files   int   // files that are read
	bytes   int64 // of all of them
}

// Digest is a digest of the files that globs name: of their paths relative to dir and of their content, not of their
// times. Globs are absolute or relative to dir and have the wildcards of `watch`; a directory counts with all that is
// below it, but for .git, node_modules and .devstack. A glob without a file is no error. More than 10,000 files, or more
// than 256 MiB, are one.
func Digest(dir string, globs []string) (string, error) {
	return digest(dir, globs, digestLimits{entries: 100_000, files: 10_000, bytes: 256 << 20})
}

func digest(dir string, globs []string, limits digestLimits) (string, error) {
	d := digester{dir: dir, left: limits, limits: limits, files: map[string]string{}}
	for _, glob := range globs {
		root, pattern := GlobRoot(dir, glob)
		if err := d.walk(root, pattern); err != nil {
			return "", fmt.Errorf("cannot digest the files of %s: %w", glob, err)
		}
	}
	whole := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		fmt.Fprintf(whole, "%d %s %s\n", len(path), path, d.files[path])
	}
	return hex.EncodeToString(whole.Sum(nil)), nil
}

// digester collects the digests of single files.
type digester struct {
	dir          string
	limits, left digestLimits
	files        map[string]string // path relative to dir -> digest of its content
}

// walk adds the files below root that pattern chooses.
func (d *digester) walk(root string, pattern *regexp.Regexp) error {
	real, err := filepath.EvalSymlinks(root) // WalkDir does not enter a link
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(real, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		if d.left.entries--; d.left.entries < 0 {
			return fmt.Errorf("there are more than %d files and directories below it", d.limits.entries)
		}
		if entry.IsDir() {
			if path != real && slices.Contains([]string{".git", "node_modules", ".devstack"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(real, path)
		if err != nil || pattern != nil && !pattern.MatchString(rel) {
			return err
		}
		return d.add(filepath.Join(root, rel))
	})
}

// add reads one file, once. What is no regular file, such as a socket, has no content.
func (d *digester) add(path string) error {
	name, err := filepath.Rel(d.dir, path)
	if err != nil {
		return err
	}
	if _, known := d.files[name]; known {
		return nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	if d.left.files--; d.left.files < 0 {
		return fmt.Errorf("more than %d files are too many", d.limits.files)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	content := sha256.New()
	n, err := io.Copy(content, io.LimitReader(file, d.left.bytes+1))
	if err != nil {
		return err
	}
	if d.left.bytes -= n; d.left.bytes < 0 {
		return fmt.Errorf("more than %d bytes are too many", d.limits.bytes)
	}
	d.files[name] = hex.EncodeToString(content.Sum(nil))
	return nil
}
