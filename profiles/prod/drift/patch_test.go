package drift

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Any two documents: the patch between them, written and read again, makes one of the other.
func TestPatchesOfRandomDocuments(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		before, after := randomMap(r, 3), randomMap(r, 3)
		if seed%2 == 0 {
			after = changed(r, before)
		}
		patch, err := difference(before, after)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if patch == nil {
			if !equal(before, after) {
				t.Fatalf("seed %d: no patch for a difference", seed)
			}
			continue
		}
		data, err := encodePatch("f", patch)
		if err != nil {
			t.Fatal(err)
		}
		read, err := parsePatch(data)
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, data)
		}
		got, err := apply(before, read)
		if err != nil || !equal(got, after) {
			t.Fatalf("seed %d: %v\nbefore\n%swant\n%spatch\n%s", seed, err, show(t, before), show(t, after), data)
		}
	}
}

func show(t *testing.T, n *yaml.Node) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeJSON(&b, n, "\n"); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func randomMap(r *rand.Rand, depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, key := range []string{"a", "b", "yes", "0"} {
		if r.IntN(3) > 0 {
			n.Content = append(n.Content, text(key), randomNode(r, depth-1))
		}
	}
	return n
}

func randomNode(r *rand.Rand, depth int) *yaml.Node {
	scalars := []*yaml.Node{
		text("x"), text("yes"), text("1"), text(""), text("two\nlines\n"), text("~"), text(" #"),
		{Kind: yaml.ScalarNode, Tag: "!!int", Value: "1"},
		{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"},
	}
	kind := r.IntN(4)
	if depth <= 0 {
		kind = 0
	}
	switch kind {
	case 1:
		return randomMap(r, depth)
	case 2:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for range r.IntN(3) {
			n.Content = append(n.Content, randomNode(r, depth-1))
		}
		return n
	case 3:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, i := range r.Perm(4)[:r.IntN(4)] {
			element := randomMap(r, depth-1)
			element.Content = append([]*yaml.Node{text("name"), text(fmt.Sprint("n", i))}, element.Content...)
			n.Content = append(n.Content, element)
		}
		return n
	}
	return scalars[r.IntN(len(scalars))]
}

// changed is a document with a few things done to it, as an edit does.
func changed(r *rand.Rand, n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = nil
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step-1 < len(n.Content); i += step {
		last := n.Content[i+step-1]
		switch r.IntN(6) {
		case 0:
			continue
		case 1:
			if step == 2 && n.Content[i].Value != "name" {
				last = randomNode(r, 2)
			}
		default:
			if last.Kind != yaml.ScalarNode {
				last = changed(r, last)
			}
		}
		if step == 2 {
			out.Content = append(out.Content, n.Content[i])
		}
		out.Content = append(out.Content, last)
	}
	return &out
}
