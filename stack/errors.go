package stack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Error is "file:line:column: message", without the parts that are not known. The hint is not part of it.
func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line == 0:
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors is every problem that one Load found, in the order of the files. It is never empty.
type Errors []*Error

// Error has one line per problem.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single problems.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// UnknownError is a name on the command line that the files do not have: a usage error, not one of the files.
type UnknownError struct {
	Kind string // app or service, profile
	Name string
	Hint string // did you mean ...; may be empty
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no %s is named %q%s", e.Kind, e.Name, e.Hint)
}

// problems collects what is wrong with one file; the same problem met twice counts once.
type problems struct {
	file  string
	found Errors
}

// at reports a problem at a node. A nil node means the whole file.
func (p *problems) at(n *yaml.Node, format string, args ...any) *Error {
	e := &Error{File: p.file, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	for _, known := range p.found {
		if *known == *e || known.Line == e.Line && known.Column == e.Column && known.Message == e.Message {
			return known
		}
	}
	p.found = append(p.found, e)
	return e
}

// err is nil, or everything found, sorted by position.
func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b *Error) int {
		if a.File != b.File {
			return 0
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p.found
}
