// Package draft writes a first ecosystem.yaml from what is there: a workspace with its Compose file, or PM2's ecosystem
// file. It promises a text that stack.Load reads, and to name everything that it could not take over. It is a start for
// people to go on from: which app needs which service, and which port it listens on, nobody has written down before.
package draft

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Draft is a text for ecosystem.yaml and what there is to say about it.
type Draft struct {
	Text  []byte
	Found []string // what it is made of, for people
	Lost  []string // what was not taken over, and why
}

// mapping is a YAML mapping that is written in the order of its making.
type mapping struct{ node *yaml.Node }

func newMapping() mapping { return mapping{&yaml.Node{Kind: yaml.MappingNode}} }

// set adds a key. Strings are written so that no variable is read into them.
func (m mapping) set(key string, value any) {
	m.node.Content = append(m.node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, toNode(value))
}

// comment is put above the last key.
func (m mapping) comment(lines ...string) {
	m.node.Content[len(m.node.Content)-2].HeadComment = commented(lines)
}

func (m mapping) empty() bool { return len(m.node.Content) == 0 }

func commented(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "# " + strings.Join(lines, "\n# ")
}

// verbatim is a string whose variables are meant.
type verbatim string

func toNode(value any) *yaml.Node {
	switch v := value.(type) {
	case mapping:
		return v.node
	case *yaml.Node:
		return v
	case verbatim:
		return scalarNode(string(v))
	case string:
		return scalarNode(strings.ReplaceAll(v, "$", "$$"))
	case []string:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, s := range v {
			list.Content = append(list.Content, toNode(s))
		}
		return list
	case []mapping:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, m := range v {
			list.Content = append(list.Content, m.node)
		}
		return list
	}
	tag := "!!int"
	if _, ok := value.(bool); ok {
		tag = "!!bool"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: fmt.Sprint(value)}
}

// scalarNode is a string: quoted where it would read as something else.
func scalarNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// encode writes the document with a blank line before each key of the top level and each app.
func encode(head []string, top mapping) ([]byte, error) {
	var body bytes.Buffer
	encoder := yaml.NewEncoder(&body)
	encoder.SetIndent(2)
	if err := encoder.Encode(top.node); err != nil {
		return nil, err
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	out := strings.Builder{}
	for _, line := range head {
		out.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	inComment := false
	for i, line := range strings.SplitAfter(body.String(), "\n") {
		isComment := strings.HasPrefix(strings.TrimSpace(line), "#")
		starts := strings.HasPrefix(line, "  - name:") || len(line) > 1 && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "#")
		if (starts && !inComment || isComment && !inComment && indented(line) <= 2) && (i > 0 || len(head) > 0) {
			out.WriteString("\n")
		}
		inComment = isComment
		out.WriteString(line)
	}
	return []byte(strings.ReplaceAll(out.String(), "apps:\n\n", "apps:\n")), nil
}

func indented(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// editorLine is what an editor with a YAML language server looks for in the first line.
const editorLine = "yaml-language-server: $schema=.devstack/schema.json"
