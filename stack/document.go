package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v4"
)

// Limits that no honest file meets and an evil one does.
const (
	maxFileSize = 1 << 20 // bytes
	maxNodes    = 100_000 // after aliases are replaced by what they stand for
	maxDepth    = 64
)

// readRegular reads a regular file of at most 1 MiB: a fifo would block, a device would never end.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		return nil, fmt.Errorf("it is larger than %d KiB", maxFileSize>>10)
	}
	return data, err
}

// parse reads one YAML document into a tree without aliases and merge keys, in which every node has its own position
// and is met once, so that it can be changed in place.
func parse(p *problems, data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			p.at(nil, "the file is empty")
		} else {
			syntax(p, err)
		}
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		p.at(&second, "there is a second document, and devstack reads only one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		syntax(p, err)
		return nil
	}
	x := expander{problems: p, left: maxNodes}
	root := x.expand(document.Content[0], 0)
	if x.failed {
		return nil
	}
	return root
}

// syntax reports an error of the YAML parser.
func syntax(p *problems, err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		p.at(nil, "cannot read it as YAML: %v", err)
		return
	}
	message := load.Message
	if load.ContextMsg != "" {
		message = load.ContextMsg + ": " + message
	}
	p.at(&yaml.Node{Line: max(load.Mark.Line, 1), Column: max(load.Mark.Column, 1)}, "%s", message)
}

// expander copies a tree with aliases and merge keys (<<) replaced. It gives up on trees that grow beyond the limits:
// an alias bomb, or an anchor that holds itself.
type expander struct {
	*problems
	left   int
	failed bool
}

func (x *expander) expand(n *yaml.Node, depth int) *yaml.Node {
	x.left--
	switch {
	case x.failed:
		return n
	case depth > maxDepth:
		return x.fail(n, "the file nests values more than %d levels deep", maxDepth)
	case x.left < 0:
		return x.fail(n, "the file has more than %d values after aliases are replaced", maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		return x.expand(n.Alias, depth+1)
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column}
	if n.Kind != yaml.MappingNode {
		for _, child := range n.Content {
			out.Content = append(out.Content, x.expand(child, depth+1))
		}
		return out
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := x.expand(n.Content[i], depth+1), x.expand(n.Content[i+1], depth+1)
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		out.Content = append(out.Content, key, value)
	}
	for _, m := range merged {
		x.merge(out, m)
	}
	return out
}

// merge adds the keys of a mapping, or of a list of mappings, that out does not have yet.
func (x *expander) merge(out, from *yaml.Node) {
	switch from.Kind {
	case yaml.SequenceNode:
		for _, m := range from.Content {
			x.merge(out, m)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(from.Content); i += 2 {
			if lookup(out, from.Content[i].Value) == nil {
				out.Content = append(out.Content, from.Content[i], from.Content[i+1])
			}
		}
	default:
		x.fail(from, "<< merges a mapping or a list of mappings")
	}
}

func (x *expander) fail(n *yaml.Node, format string, args ...any) *yaml.Node {
	if !x.failed {
		x.at(n, format, args...)
	}
	x.failed = true
	return n
}

// lookup is the value of a key in a mapping, or nil.
func lookup(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; mapping != nil && mapping.Kind == yaml.MappingNode && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// entry is one key of a mapping.
type entry struct {
	key   *yaml.Node
	value *yaml.Node
}

// entries are the keys of a mapping in order; another kind of node, a key that is no string and a key written twice
// are problems. Null is an empty mapping.
func (p *problems) entries(n *yaml.Node, what string) []entry {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		p.at(n, "%s must be a mapping, not %s", what, describe(n))
		return nil
	}
	var out []entry
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || isNull(key) {
			p.at(key, "a key of %s must be a string, not %s", what, describe(key))
			continue
		}
		if before := first[key.Value]; before != nil {
			p.at(key, "%q is written twice in %s, first in line %d", key.Value, what, before.Line)
			continue
		}
		first[key.Value] = key
		out = append(out, entry{key, n.Content[i+1]})
	}
	return out
}
