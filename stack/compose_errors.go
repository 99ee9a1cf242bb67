package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"
)

// composePath is a place in a Compose file as compose-go writes it: services.db.ports.0, or service "db".
var composePath = regexp.MustCompile(`\b(services|networks|volumes|secrets|configs)((?:\.[A-Za-z0-9_.-]+)+)|\bservice "([^"]+)"`)

// composeError reports what compose-go says about the Compose files, at the position that its text leads to.
func (s *ecosystem) composeError(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		s.at(nil, "%v", err)
		return
	}
	for _, path := range s.compose {
		if p := syntaxOf(path); len(p.found) > 0 {
			s.found = append(s.found, p.found...)
			return
		}
	}
	e := &Error{File: s.compose[0], Message: composeMessage(err, s.compose)}
	var invalid *template.InvalidTemplateError
	if errors.As(err, &invalid) {
		e.Hint = "write $$ for a plain $"
	}
	if path := composePlace(e.Message); path != nil {
		locateInCompose(e, s.compose, path)
	}
	e.Message = sayUnknownKey(e.Message)
	s.found = append(s.found, e)
}

// composePlace is the place that a message of compose-go speaks about, or nil.
func composePlace(message string) []string {
	if m := composeUnknown.FindStringSubmatch(message); m != nil {
		where, key := m[1]+m[3], m[2]+m[4]
		return append(strings.FieldsFunc(where, func(r rune) bool { return r == '.' }), key)
	}
	m := composePath.FindStringSubmatch(message)
	switch {
	case m == nil:
		return nil
	case m[3] != "":
		return []string{"services", m[3]}
	}
	return strings.Split(m[1]+strings.TrimRight(m[2], "."), ".")
}

// composeMessage is compose-go's text without the file's name, which the error has already.
func composeMessage(err error, files []string) string {
	message := strings.TrimPrefix(err.Error(), "decoding failed due to the following error(s):")
	message = composeIndex.ReplaceAllString(message, "$1.$2$3")
	for _, path := range files {
		message = strings.ReplaceAll(message, "validating "+path+": ", "")
		message = strings.ReplaceAll(message, path+": ", "")
	}
	return strings.Join(strings.Fields(strings.TrimSuffix(message, ": invalid compose project")), " ")
}

// composeIndex is how some messages write a place: 'services[db].mem_limit'
var composeIndex = regexp.MustCompile(`'(services|networks|volumes|secrets|configs)\[([^]]+)\]([^']*)'`)

// duplicates reports keys that are written twice in one mapping.
func duplicates(p *problems, n *yaml.Node) {
	first := map[string]int{}
	for i, child := range n.Content {
		duplicates(p, child)
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			continue
		}
		if line := first[child.Value]; line != 0 {
			p.at(child, "%q is written twice, first in line %d", child.Value, line)
		}
		first[child.Value] = child.Line
	}
}

// syntaxOf is what is wrong with a Compose file as YAML.
func syntaxOf(path string) *problems {
	p := &problems{file: path}
	data, err := readRegular(path)
	if err != nil {
		p.at(nil, "cannot read: %v", plainCause(err))
		return p
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		switch err := decoder.Decode(&n); {
		case errors.Is(err, io.EOF):
			return p
		case err != nil:
			syntax(p, err)
			return p
		case len(n.Content) > 0 && n.Content[0].Kind != yaml.MappingNode:
			p.at(n.Content[0], "a Compose file must be a mapping, not %s", describe(n.Content[0]))
			return p
		}
		duplicates(p, &n)
	}
}

// locateInCompose puts an error at the key that the path leads to, as far as one of the files has it.
func locateInCompose(e *Error, files []string, path []string) {
	deepest := 0
	for _, file := range files {
		data, err := readRegular(file)
		var document yaml.Node
		if err != nil || yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
			continue
		}
		n := document.Content[0]
		for depth, name := range path {
			at, child := step(n, name)
			if child == nil {
				break
			}
			if n = child; depth >= deepest {
				deepest, e.File, e.Line, e.Column = depth+1, file, at.Line, at.Column
			}
		}
	}
}

// step is the child of a node by key or index, and the node that shows where it is.
func step(n *yaml.Node, name string) (at, child *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if i, err := strconv.Atoi(name); err == nil && n.Kind == yaml.SequenceNode && i >= 0 && i < len(n.Content) {
		return n.Content[i], n.Content[i]
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// composeUnknown is how compose-go's schema says that a key does not exist.
var composeUnknown = regexp.MustCompile(`^(\S+)\.([^.\s]+) false schema$|^(?:(\S+) )?additional properties '([^']+)' not allowed$`)

// sayUnknownKey rewrites such a message, with a did-you-mean for the keys of a service.
func sayUnknownKey(message string) string {
	m := composeUnknown.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	where, key := m[1]+m[3], m[2]+m[4]
	if where == "" {
		where = "the file"
	}
	var known []string
	if strings.HasPrefix(where, "services.") && strings.Count(where, ".") == 1 {
		known = composeKeyOrder
	}
	return fmt.Sprintf("unknown key %q in %s%s", key, where, didYouMean(key, known))
}
