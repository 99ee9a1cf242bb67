package kubernetes

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// encode writes documents one after the other. Readers of YAML 1.1 and 1.2 read the same strings.
func encode(header string, documents ...any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(header)
	dumper, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1), yaml.WithQuotePreference(yaml.QuoteDouble))
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		var n yaml.Node
		if err := n.Encode(d); err != nil {
			return nil, err
		}
		quote(&n)
		if err := dumper.Dump(&n); err != nil {
			return nil, err
		}
	}
	if err := dumper.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// quote gives every string with more in it than printable ASCII double quotes: block scalars do not keep every run of
// blanks and breaks, and what counts as a line break depends on the version of YAML.
func quote(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && strings.ContainsFunc(n.Value, func(c rune) bool { return c < ' ' || c > '~' }) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		quote(child)
	}
}

// escape keeps the kubelet from expanding $(NAME): it reads $$ as one dollar sign.
func escape(value string) string { return strings.ReplaceAll(value, "$", "$$") }

func escapeAll(words []string) []string {
	var out []string
	for _, word := range words {
		out = append(out, escape(word))
	}
	return out
}
