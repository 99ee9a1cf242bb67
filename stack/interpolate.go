package stack

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"
)

// interpolatedTag marks a scalar that had a variable in it: it is read as if it was written without quotes, so that
// port: "${PORT:-3000}" is a number.
const interpolatedTag = "!interpolated"

// failedTag marks a scalar whose interpolation failed, which is reported already: it counts as written, and is not read.
const failedTag = "!failed"

// interpolator replaces ${VARIABLES} in values (never in keys) by Compose's rules.
type interpolator struct {
	*problems
	env  template.Mapping
	used map[*yaml.Node][]string // the variables that a scalar names

	unset map[*yaml.Node][]string // those of them that have neither a value nor a default
}

// walk replaces in the tree below n, in place. Where lenient, a required variable that is not set makes its value
// null: nobody uses it.
func (i *interpolator) walk(n *yaml.Node, lenient bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		i.scalar(n, lenient)
	case yaml.SequenceNode:
		for _, child := range n.Content {
			i.walk(child, lenient)
		}
	case yaml.MappingNode:
		for k := 1; k < len(n.Content); k += 2 {
			i.walk(n.Content[k], lenient)
		}
	}
}

func (i *interpolator) scalar(n *yaml.Node, lenient bool) {
	if !strings.Contains(n.Value, "$") {
		return
	}
	value, err := template.Substitute(n.Value, i.env)
	var missing *template.MissingRequiredError
	var invalid *template.InvalidTemplateError
	switch {
	case err == nil:
	case errors.As(err, &missing) && lenient:
		n.Tag, n.Value = "!!null", ""
		return
	case errors.As(err, &missing):
		e := i.at(n, "the variable %s must be set", missing.Variable)
		if missing.Reason != "" {
			e.Message += ": " + missing.Reason
		}
		n.Tag, n.Value = failedTag, ""
		return
	case errors.As(err, &invalid):
		i.at(n, "%q is not an interpolation", invalid.Template).Hint = "write $$ for a plain $"
		n.Tag = failedTag
		return
	default:
		i.at(n, "cannot interpolate: %v", err)
		n.Tag = failedTag
		return
	}
	if names := variables(n.Value); len(names) > 0 {
		i.used[n], i.unset[n] = names, i.lacking(n.Value, names)
		n.Tag = interpolatedTag
	}
	n.Value = value
}

// lacking are the variables in a text that are not set and have no default there, an empty one included.
func (i *interpolator) lacking(text string, names []string) []string {
	var out []string
	for _, name := range names {
		_, set := i.env(name)
		if !set && !strings.Contains(text, "${"+name+"-") && !strings.Contains(text, "${"+name+":-") {
			out = append(out, name)
		}
	}
	return out
}

// variables are the sorted names of the variables in a text.
func variables(text string) []string {
	return slices.Sorted(maps.Keys(template.ExtractVariables(map[string]any{"": text}, template.DefaultPattern)))
}

// below are the variables noted anywhere below a node.
func below(noted map[*yaml.Node][]string, n *yaml.Node) []string {
	out := slices.Clone(noted[n])
	for _, child := range n.Content {
		out = append(out, below(noted, child)...)
	}
	return out
}
