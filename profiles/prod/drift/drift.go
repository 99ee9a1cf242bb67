// Package drift keeps exported files honest. A file of an export is devstack's as a whole or the user's as a whole:
// devstack.lock has the hash of everything that was written, so that a file which the definitions have left behind (stale)
// can be told from one that somebody has edited, and from one that is both (conflict).
//
// It promises that a byte which devstack did not write is never overwritten or removed, also when a run ends in the
// middle, and that a lock that is lost or merged badly costs a question, never a file. Compare, Merge and Adopt are pure;
// Observe and Write are the disk. It does not watch anything: between Observe and Write others may write, which Write
// looks for right before it replaces a file.
package drift

import (
	"cmp"
	"slices"

	"github.com/rogpeppe/go-internal/diff"

	"devstack/profiles/prod"
)

// State is how a file on disk stands to the lock and to what would be written now.
type State string

// The states, from the best to the worst.
const (
	OK       State = "ok"
	Stale    State = "stale"    // export writes it
	Edited   State = "edited"   // somebody changed it; export refuses
	Conflict State = "conflict" // somebody changed it, and it would be written otherwise, too; or it was never devstack's
)

// Exit is the exit code of `export --check`: 0, 10, 11 or 12.
func (s State) Exit() int {
	switch s {
	case Stale:
		return 10
	case Edited:
		return 11
	case Conflict:
		return 12
	}
	return 0
}

// Action is what an export does about a file.
type Action string

// The actions.
const (
	Keep   Action = "keep"
	Write  Action = "write"
	Remove Action = "remove" // devstack wrote it, and it is no longer part of the export
	Note   Action = "note"   // only the lock changes: the disk has what would be written, or nothing
	Refuse Action = "refuse"
)

// Status is one file's.
type Status struct {
	Path   string `json:"path"`
	State  State  `json:"state"`
	Action Action `json:"action"`
	Reason string `json:"reason"` // why it is not ok; empty when it is
	Diff   string `json:"diff"`   // unified: what export would change, or what somebody did; empty when it is ok
	Fix    string `json:"fix"`    // the line that puts it right
}

// Disk is what is at the paths that an export is about. A path without an entry is free.
type Disk map[string]Found

// Found is what is at one path.
type Found struct {
	Data  []byte
	Other bool // no regular file: a directory, a link, a device
}

// Compare says for every file of the lock and of the fresh export, by path, how it stands. target is named in the fixes.
func Compare(target string, lock Lock, disk Disk, fresh []prod.File) []Status {
	paths := []string{}
	wanted := map[string]prod.File{}
	for _, f := range fresh {
		wanted[f.Path] = f
		paths = append(paths, f.Path)
	}
	for _, l := range lock.Files {
		paths = append(paths, l.Path)
	}
	slices.Sort(paths)
	out := []Status{}
	for _, path := range slices.Compact(paths) {
		c := comparison{target: target, path: path, locked: lock.hash(path)}
		c.found, c.there = disk[path]
		c.fresh, c.wanted = wanted[path]
		out = append(out, c.status())
	}
	return out
}

// comparison is one path's three sides.
type comparison struct {
	target, path  string
	locked        string // hash of what was last written; empty: nothing
	found         Found
	there         bool
	fresh         prod.File
	wanted        bool
	onDisk, wants string // hashes
}

// status is the truth table.
func (c comparison) status() Status {
	if c.there {
		c.onDisk = hash(c.found.Data)
	}
	if c.wanted {
		c.wants = hash(c.fresh.Data)
	}
	ours := c.there && !c.found.Other && c.onDisk == c.locked
	same := c.there && !c.found.Other && c.wanted && c.onDisk == c.wants
	switch {
	case c.wanted && c.fresh.Once && c.there && c.locked == "":
		return c.is(OK, Keep, "")
	case c.wanted && c.fresh.Once && c.there:
		return c.is(Stale, Note, "it belongs to you from now on")
	case !c.there && c.wanted && c.locked == "":
		return c.is(Stale, Write, "it is not written yet")
	case !c.there && c.wanted:
		return c.is(Stale, Write, "it is missing")
	case !c.there:
		return c.is(Stale, Note, "it is gone, and no longer part of the export")
	case same && ours:
		return c.is(OK, Keep, "")
	case same:
		return c.is(Stale, Note, "it is up to date, and devstack.lock is not")
	case c.wanted && ours:
		return c.is(Stale, Write, "the definitions have changed")
	case ours:
		return c.is(Stale, Remove, "it is no longer part of the export")
	case c.locked == "":
		return c.is(Conflict, Refuse, "devstack did not write it")
	case !c.wanted:
		return c.is(Conflict, Refuse, "it was edited, and is no longer part of the export")
	case c.wants == c.locked:
		return c.is(Edited, Refuse, "it was edited")
	}
	return c.is(Conflict, Refuse, "it was edited, and the definitions have changed")
}

func (c comparison) is(s State, a Action, reason string) Status {
	out := Status{Path: c.path, State: s, Action: a, Reason: reason}
	if s == OK {
		return out
	}
	out.Fix = c.fix(s)
	switch {
	case a == Write || a == Remove || s == Conflict && !c.found.Other:
		out.Diff = unified(c.path, c.found.Data, c.fresh.Data)
	case s == Edited:
		out.Diff = unified(c.path, c.fresh.Data, c.found.Data)
	}
	return out
}

func (c comparison) fix(s State) string {
	export := "devstack export " + c.target
	switch {
	case s == Stale:
		return export
	case s == Edited:
		return export + " --adopt, which keeps the edit in " + Folder + "/; or remove the file and run " + export
	case c.locked == "" || c.found.Other:
		return "move the file away and run " + export
	case !c.wanted:
		return "move the file away, or remove it, and run " + export
	}
	return "move the file away, run " + export + ", repeat the edit, and run " + export + " --adopt"
}

// unified is a unified diff of two versions of a file.
func unified(path string, before, after []byte) string {
	return string(diff.Diff("a/"+path, before, "b/"+path, after))
}

// Worst is the state of an export as a whole.
func Worst(all []Status) State {
	worst := OK
	for _, s := range all {
		worst = slices.MaxFunc([]State{worst, s.State}, func(a, b State) int { return cmp.Compare(a.Exit(), b.Exit()) })
	}
	return worst
}

// Error is why an export wrote nothing: files that are not devstack's to change.
type Error struct{ Refused []Status }

func (e *Error) Error() string {
	text := "nothing was written:"
	for _, s := range e.Refused {
		text += "\n  " + s.Path + ": " + s.Reason
	}
	return text
}

// Exit is the exit code: that of the worst state.
func (e *Error) Exit() int { return Worst(e.Refused).Exit() }
