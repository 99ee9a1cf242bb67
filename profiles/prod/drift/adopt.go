package drift

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"devstack/profiles/prod"
	"devstack/stack"
)

// Folder is where adopted edits are, beside devstack.lock. What is in it is the user's: devstack makes files there, and
// never changes one.
const Folder = "adopted"

// Overlay is one adopted edit: a patch of one exported file.
type Overlay struct {
	Path string // below the output directory: adopted/FILE.N.yaml
	Data []byte
}

// target is the file that an overlay patches, and its place in the order; ok is false for other files of the folder.
func (o Overlay) target() (file string, number int, ok bool) {
	rest, in := strings.CutPrefix(o.Path, Folder+"/")
	rest, is := strings.CutSuffix(rest, ".yaml")
	dot := strings.LastIndexByte(rest, '.')
	if !in || !is || dot < 1 {
		return "", 0, false
	}
	number, err := strconv.Atoi(rest[dot+1:])
	return rest[:dot], number, err == nil && number > 0
}

// ordered are the overlays of one file, first to last.
func ordered(all []Overlay, file string) []Overlay {
	var out []Overlay
	for _, o := range all {
		if f, _, ok := o.target(); ok && f == file {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Overlay) int {
		_, x, _ := a.target()
		_, y, _ := b.target()
		return x - y
	})
	return out
}

// Merge lays the overlays over what was rendered: the fresh files of Compare and Apply. An overlay for a file that is not
// rendered, or that does not fit it any more, is stack.Errors.
func Merge(rendered []prod.File, overlays []Overlay) ([]prod.File, error) {
	out := slices.Clone(rendered)
	var found stack.Errors
	for _, o := range overlays {
		file, _, ok := o.target()
		isTarget := func(f prod.File) bool { return f.Path == file && !f.Once }
		switch {
		case !ok:
			found = append(found, &stack.Error{File: o.Path, Message: "it is not an overlay", Hint: "overlays are named FILE.N.yaml, such as compose.yaml.1.yaml"})
		case !slices.ContainsFunc(out, isTarget):
			found = append(found, &stack.Error{File: o.Path, Message: "the export has no " + file + " any more", Hint: "remove the overlay"})
		}
	}
	for i, f := range out {
		if f.Once {
			continue
		}
		for _, o := range ordered(overlays, f.Path) {
			data, err := patched(f.Path, out[i].Data, o.Data)
			if err != nil {
				found = append(found, &stack.Error{File: o.Path, Message: err.Error(), Hint: "change the overlay, or remove it"})
				break
			}
			out[i].Data = data
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	return out, nil
}

// patched is a file with a patch on it, in the form that renderers write.
func patched(name string, data, patch []byte) ([]byte, error) {
	change, err := parsePatch(patch)
	if err != nil {
		return nil, err
	}
	base, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	now, err := apply(base, change)
	if err != nil {
		return nil, err
	}
	return encode(name, header(data), now)
}

func parsePatch(data []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("cannot read it as YAML: %w", err)
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("it is not a mapping")
	}
	return unstyled(document.Content[0]), nil
}

// header is the generated file's first line when that is the header.
func header(data []byte) []byte {
	if bytes.HasPrefix(data, []byte(prod.Header)) {
		return []byte(prod.Header)
	}
	return nil
}

// Adopt turns the edit of one file into an overlay that is to be created. base is what devstack last wrote: the fresh file
// when only somebody's edit is new, and in a conflict the bytes whose hash the lock has, from version control; others are
// refused. With the overlay, Merge gives a file that says what the edited one says. The error is a *stack.Error: the edit
// stays where it is.
func Adopt(file string, lock Lock, base, edited []byte, overlays []Overlay) (Overlay, error) {
	fail := func(message string) (Overlay, error) {
		return Overlay{}, &stack.Error{
			File: file, Message: "cannot adopt the edit: " + message,
			Hint: "keep it in a file of your own that the target lays over this one, or write it into ecosystem.yaml",
		}
	}
	if locked := lock.hash(file); locked == "" || hash(base) != locked {
		return fail("devstack does not know what the file was before")
	}
	before, err := parse(file, base)
	if err != nil {
		return fail(err.Error())
	}
	after, err := parse(file, edited)
	if err != nil {
		return fail(err.Error())
	}
	if comment := newComment(base, edited, path.Ext(file)); comment != "" {
		return fail("it would lose the comment " + strconv.Quote(comment))
	}
	patch, err := difference(before, after)
	if err != nil {
		return fail(err.Error())
	}
	if patch == nil {
		return fail("it says the same as before, in another form")
	}
	if patch.Kind != yaml.MappingNode {
		return fail("it is not a mapping any more")
	}
	n := 1
	for _, o := range ordered(overlays, file) {
		_, last, _ := o.target()
		n = last + 1
	}
	o := Overlay{Path: Folder + "/" + file + "." + strconv.Itoa(n) + ".yaml"}
	if o.Data, err = encodePatch(file, patch); err != nil {
		return fail(err.Error())
	}
	again, err := patched(file, base, o.Data)
	if err != nil {
		return fail(err.Error())
	}
	if said, err := parse(file, again); err != nil || !equal(said, after) {
		return fail("no patch can express it")
	}
	return o, nil
}

func encodePatch(file string, patch *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# An edit of " + file + ", applied at every export. This file is yours.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(unstyled(patch)); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// newComment is the first comment that an edit added.
func newComment(base, edited []byte, ext string) string {
	if ext == ".json" {
		return ""
	}
	known := comments(base)
	for _, c := range comments(edited) {
		if !slices.Contains(known, c) {
			return c
		}
	}
	return ""
}

func comments(data []byte) []string {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil
	}
	var out []string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
			for _, line := range strings.Split(c, "\n") {
				if line != "" {
					out = append(out, line)
				}
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(&document)
	return out
}
