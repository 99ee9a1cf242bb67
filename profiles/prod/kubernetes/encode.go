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
		if err := dumper.Dump(d); err != nil {
			return nil, err
		}
	}
	if err := dumper.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// text is a string of a stack's files, of which anything may be expected.
type text string

// MarshalYAML gives every string with more in it than printable ASCII double quotes: block scalars do not keep every run
// of blanks and breaks, and what counts as a line break depends on the version of YAML.
func (t text) MarshalYAML() (any, error) {
	if !strings.ContainsFunc(string(t), func(c rune) bool { return c < ' ' || c > '~' }) {
		return string(t), nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(t), Style: yaml.DoubleQuotedStyle}, nil
}

// escape keeps the kubelet from expanding $(NAME): it reads $$ as one dollar sign.
func escape(value string) text { return text(strings.ReplaceAll(value, "$", "$$")) }

func escapeAll(words []string) []text {
	var out []text
	for _, word := range words {
		out = append(out, escape(word))
	}
	return out
}
