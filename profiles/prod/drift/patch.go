package drift

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// A patch is a JSON merge patch (RFC 7386) that can also change single elements of a list whose elements all have a name:
// such a change says $patch: add, merge or delete. A list in which nothing says $patch replaces the other.
const patchKey = "$patch"

// difference is the patch that makes after of before; nil when they say the same. It is an error where no patch can.
func difference(before, after *yaml.Node) (*yaml.Node, error) {
	if equal(before, after) {
		return nil, nil
	}
	if before.Kind != yaml.MappingNode || after.Kind != yaml.MappingNode {
		return after, noNulls(after)
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(before.Content); i += 2 {
		if key := before.Content[i]; value(after, key.Value) == nil {
			out.Content = append(out.Content, text(key.Value), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"})
		}
	}
	for i := 0; i+1 < len(after.Content); i += 2 {
		key, now := after.Content[i].Value, after.Content[i+1]
		was := value(before, key)
		var change *yaml.Node
		var err error
		switch {
		case was == nil:
			change, err = now, noNulls(now)
		case named(was) && named(now):
			change, err = listDifference(was, now)
		default:
			change, err = difference(was, now)
		}
		if err != nil {
			return nil, err
		}
		if change != nil {
			out.Content = append(out.Content, text(key), change)
		}
	}
	return out, nil
}

// listDifference meets elements by name. What it cannot say, an order among others, replaces the list.
func listDifference(before, after *yaml.Node) (*yaml.Node, error) {
	if equal(before, after) {
		return nil, nil
	}
	out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, was := range before.Content {
		if element(after, nameOf(was)) == nil {
			out.Content = append(out.Content, marked(was, "delete", false))
		}
	}
	for _, now := range after.Content {
		was := element(before, nameOf(now))
		if was == nil {
			out.Content = append(out.Content, marked(now, "add", true))
			continue
		}
		change, err := difference(was, now)
		if err != nil {
			return nil, err
		}
		if change != nil {
			head := []*yaml.Node{text("name"), text(nameOf(now)), text(patchKey), text("merge")}
			change.Content = append(head, change.Content...)
			out.Content = append(out.Content, change)
		}
	}
	if again, err := applyList(before, out); err != nil || !equal(again, after) {
		return after, noNulls(after)
	}
	return out, noNulls(after)
}

// marked is an element with its $patch; whole: with everything that it says.
func marked(n *yaml.Node, word string, whole bool) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{text("name"), text(nameOf(n)), text(patchKey), text(word)}}
	for i := 0; whole && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "name" {
			out.Content = append(out.Content, n.Content[i], n.Content[i+1])
		}
	}
	return out
}

// apply is a document with a patch on it. A change of a list's element that is not there is an error.
func apply(base, patch *yaml.Node) (*yaml.Node, error) {
	if patch.Kind != yaml.MappingNode {
		return patch, nil
	}
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if base != nil && base.Kind == yaml.MappingNode {
		out.Content = slices.Clone(base.Content)
	}
	for i := 0; i+1 < len(patch.Content); i += 2 {
		key, change := patch.Content[i], patch.Content[i+1]
		at := keyAt(out, key.Value)
		if change.ShortTag() == "!!null" {
			if at >= 0 {
				out.Content = slices.Delete(out.Content, at, at+2)
			}
			continue
		}
		var was *yaml.Node
		if at >= 0 {
			was = out.Content[at+1]
		}
		now, err := applied(was, change)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key.Value, err)
		}
		if at < 0 {
			out.Content = append(out.Content, key, now)
			continue
		}
		out.Content[at+1] = now
	}
	return out, nil
}

func applied(was, change *yaml.Node) (*yaml.Node, error) {
	if change.Kind == yaml.SequenceNode && slices.ContainsFunc(change.Content, func(n *yaml.Node) bool { return value(n, patchKey) != nil }) {
		return applyList(was, change)
	}
	return apply(was, change)
}

func applyList(base, patch *yaml.Node) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if base != nil && base.Kind == yaml.SequenceNode {
		out.Content = slices.Clone(base.Content)
	}
	for _, change := range patch.Content {
		name, word := nameOf(change), value(change, patchKey)
		at := slices.IndexFunc(out.Content, func(n *yaml.Node) bool { return nameOf(n) == name })
		switch {
		case word == nil || name == "":
			return nil, fmt.Errorf("every element needs a name and %s: add, merge or delete", patchKey)
		case word.Value == "delete":
			if at >= 0 {
				out.Content = slices.Delete(out.Content, at, at+1)
			}
		case word.Value == "add" && at < 0:
			out.Content = append(out.Content, without(change, patchKey))
		case word.Value == "add":
			out.Content[at] = without(change, patchKey)
		case word.Value == "merge" && at >= 0:
			now, err := apply(out.Content[at], without(change, patchKey))
			if err != nil {
				return nil, err
			}
			out.Content[at] = now
		case word.Value == "merge":
			return nil, fmt.Errorf("it changes %q, which the export no longer has", name)
		default:
			return nil, fmt.Errorf("%s is add, merge or delete, not %q", patchKey, word.Value)
		}
	}
	return out, nil
}

// equal compares what two documents say: keys in any order, lists in theirs, without comments and styles.
func equal(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.ShortTag() != b.ShortTag() {
		return false
	}
	switch a.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(a.Content); i += 2 {
			other := value(b, a.Content[i].Value)
			if other == nil || !equal(a.Content[i+1], other) {
				return false
			}
		}
		return true
	case yaml.SequenceNode:
		for i := range a.Content {
			if !equal(a.Content[i], b.Content[i]) {
				return false
			}
		}
		return true
	}
	return a.Value == b.Value
}

// noNulls refuses what a merge patch cannot say: null takes a key away.
func noNulls(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return fmt.Errorf("line %d sets null", n.Line)
	}
	for _, child := range n.Content {
		if err := noNulls(child); err != nil {
			return err
		}
	}
	return nil
}

// keyAt is where a mapping has a key; -1: nowhere.
func keyAt(n *yaml.Node, key string) int {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func value(n *yaml.Node, key string) *yaml.Node {
	if i := keyAt(n, key); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

func without(n *yaml.Node, key string) *yaml.Node {
	out := *n
	out.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			out.Content = append(out.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &out
}

// named says that a list's elements all have a name, and no two the same.
func named(n *yaml.Node) bool {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return false
	}
	seen := map[string]bool{}
	for _, e := range n.Content {
		name := nameOf(e)
		if name == "" || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

func nameOf(n *yaml.Node) string {
	if v := value(n, "name"); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func element(list *yaml.Node, name string) *yaml.Node {
	for _, n := range list.Content {
		if nameOf(n) == name {
			return n
		}
	}
	return nil
}
