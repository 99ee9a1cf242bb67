package drift

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"devstack/profiles/prod"
)

// parse reads a JSON or YAML file with the order of its keys.
func parse(name string, data []byte) (*yaml.Node, error) {
	switch path.Ext(name) {
	case ".json":
		return parseJSON(data)
	case ".yaml", ".yml":
		return parseYAML(bytes.TrimPrefix(data, []byte(prod.Header)))
	}
	return nil, fmt.Errorf("devstack adopts only JSON and YAML, not %s", path.Base(name))
}

func parseYAML(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("cannot read it as YAML: %w", err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has several documents")
	}
	if err := plain(&document); err != nil {
		return nil, err
	}
	return document.Content[0], nil
}

// plain refuses what a patch cannot say.
func plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fmt.Errorf("line %d has an anchor or an alias", n.Line)
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if seen[key] {
				return fmt.Errorf("line %d has the key %q twice", n.Content[i].Line, key)
			}
			if key == patchKey {
				return fmt.Errorf("line %d has the key %s", n.Content[i].Line, patchKey)
			}
			seen[key] = true
		}
	}
	for _, child := range n.Content {
		if err := plain(child); err != nil {
			return err
		}
	}
	return nil
}

// parseJSON reads JSON by its own rules, which differ from YAML's in escapes.
func parseJSON(data []byte) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	n, err := jsonValue(decoder)
	if err != nil {
		return nil, fmt.Errorf("cannot read it as JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has several documents")
	}
	return n, plain(n)
}

func jsonValue(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if v == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for d.More() {
			child, err := jsonValue(d)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		_, err := d.Token()
		return n, err
	case string:
		return text(v), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(v.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

var (
	simpleWord = regexp.MustCompile(`^[A-Za-z_/$][A-Za-z0-9_./-]*$`)
	yamlWord   = regexp.MustCompile(`(?i)^(y|yes|n|no|on|off|true|false|null)$`)
)

// unstyled is a copy without comments, in which every string is quoted that some version of YAML would not take for one.
func unstyled(n *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: n.Kind, Tag: n.ShortTag(), Value: n.Value}
	if n.Kind == yaml.ScalarNode && out.Tag == "!!str" && (!simpleWord.MatchString(n.Value) || yamlWord.MatchString(n.Value)) {
		out.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		out.Content = append(out.Content, unstyled(child))
	}
	return out
}

// encode writes a file as renderers do: two spaces, and for YAML the comment that the fresh file begins with.
func encode(name string, header []byte, n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	if path.Ext(name) == ".json" {
		if err := writeJSON(&b, n, "\n"); err != nil {
			return nil, err
		}
		b.WriteByte('\n')
		return b.Bytes(), nil
	}
	b.Write(header)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// writeJSON is encoding/json's form, in the order of the keys.
func writeJSON(b *bytes.Buffer, n *yaml.Node, newline string) error {
	if n.Kind == yaml.ScalarNode {
		if n.ShortTag() != "!!str" {
			b.WriteString(n.Value)
			return nil
		}
		return writeString(b, n.Value)
	}
	opening, closing := "[", "]"
	if n.Kind == yaml.MappingNode {
		opening, closing = "{", "}"
	}
	b.WriteString(opening)
	for i := 0; i < len(n.Content); i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(newline + "  ")
		if n.Kind == yaml.MappingNode {
			if err := writeString(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteString(": ")
			i++
		}
		if err := writeJSON(b, n.Content[i], newline+"  "); err != nil {
			return err
		}
	}
	if len(n.Content) > 0 {
		b.WriteString(newline)
	}
	b.WriteString(closing)
	return nil
}

func writeString(b *bytes.Buffer, s string) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // its newline
	return nil
}
