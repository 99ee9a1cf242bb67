package drift

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"devstack/profiles/prod"
	"devstack/stack"
)

// LockName is the file beside the exported ones, meant to be committed with them.
const LockName = "devstack.lock"

const lockVersion = 1

// Lock is what was last written. Its zero value is that of a directory without one.
type Lock struct {
	Version int      `json:"version"`
	Target  string   `json:"target"`
	Files   []Locked `json:"files"` // by path
}

// Locked is one file that is devstack's.
type Locked struct {
	Path   string `json:"path"` // relative to the lock, with slashes
	SHA256 string `json:"sha256"`
}

// ParseLock reads a lock; no data is no lock. What is wrong with it is a *stack.Error.
func ParseLock(data []byte) (Lock, error) {
	const hint = "remove it and export again: what is as devstack would write it is taken, the rest is asked about"
	bad := func(message string) (Lock, error) {
		return Lock{}, &stack.Error{File: LockName, Message: message, Hint: hint}
	}
	if len(data) == 0 {
		return Lock{}, nil
	}
	var l Lock
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return bad("it cannot be read: " + err.Error())
	}
	if _, err := decoder.Token(); err != io.EOF {
		return bad("there is more in it than a lock")
	}
	if l.Version != lockVersion {
		return bad("it has version " + strconv.Itoa(l.Version) + ", and this devstack knows " + strconv.Itoa(lockVersion))
	}
	for i, f := range l.Files {
		if sum, err := hex.DecodeString(f.SHA256); err != nil || len(sum) != sha256.Size || !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return bad("it has no valid entry for " + strconv.Quote(f.Path))
		}
		if i > 0 && f.Path <= l.Files[i-1].Path {
			return bad("its files are not in order at " + strconv.Quote(f.Path))
		}
	}
	return l, nil
}

// NewLock is the lock of an export that was written.
func NewLock(target string, files []prod.File) Lock {
	l := Lock{Version: lockVersion, Target: target, Files: []Locked{}}
	for _, f := range files {
		if !f.Once {
			l.Files = append(l.Files, Locked{f.Path, hash(f.Data)})
		}
	}
	slices.SortFunc(l.Files, func(a, b Locked) int { return strings.Compare(a.Path, b.Path) })
	return l
}

// Taking is the lock with a file as it is on disk: what somebody wrote there has been adopted, and may be replaced.
func (l Lock) Taking(path string, data []byte) Lock {
	l.Files = slices.Clone(l.Files)
	for i := range l.Files {
		if l.Files[i].Path == path {
			l.Files[i].SHA256 = hash(data)
		}
	}
	return l
}

// Bytes is the lock as a file.
func (l Lock) Bytes() []byte {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil { // strings and a number
		panic(err)
	}
	return append(data, '\n')
}

// hash is what the lock has for a path; empty: nothing.
func (l Lock) hash(path string) string {
	for _, f := range l.Files {
		if f.Path == path {
			return f.SHA256
		}
	}
	return ""
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
