package stack

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// isNull says that a value was left empty, which means the default.
func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!null" || n.Tag == failedTag)
}

// describe names what a node is, for "must be X, not Y".
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!bool":
		return n.Value
	case "!!int", "!!float":
		return "the number " + n.Value
	}
	if n.Value == "" {
		return "an empty string"
	}
	return fmt.Sprintf("the string %q", n.Value)
}

// plain says that the node is a scalar whose type is read from its text: written so, or made by interpolation.
func plain(n *yaml.Node, tag string) bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == tag || n.ShortTag() == interpolatedTag)
}

// text is a non-empty string.
func (p *problems) text(n *yaml.Node, what string) string {
	if !plain(n, "!!str") || n.Value == "" {
		e := p.at(n, "%s must be a string, not %s", what, describe(n))
		if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" || tag == "!!bool" {
			e.Hint = "put it in quotes"
		}
		return ""
	}
	if strings.ContainsRune(n.Value, 0) {
		p.at(n, "%s contains a NUL character", what)
		return ""
	}
	return n.Value
}

// element is a scalar of a list or of env, as it is written: 3000, true and "x" alike.
func (p *problems) element(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		p.at(n, "%s must be a string, not %s", what, describe(n))
		return ""
	}
	if strings.ContainsRune(n.Value, 0) {
		p.at(n, "%s contains a NUL character", what)
		return ""
	}
	return n.Value
}

func (p *problems) boolean(n *yaml.Node, what string) bool {
	if plain(n, "!!bool") {
		switch strings.ToLower(n.Value) {
		case "true":
			return true
		case "false":
			return false
		}
	}
	p.at(n, "%s must be true or false, not %s", what, describe(n))
	return false
}

// integer is a whole number within bounds.
func (p *problems) integer(n *yaml.Node, what string, low, high int) int {
	v, err := strconv.Atoi(strings.ReplaceAll(n.Value, "_", ""))
	switch {
	case !plain(n, "!!int") || err != nil:
		p.at(n, "%s must be a whole number, not %s", what, describe(n))
	case v < low && high == math.MaxInt:
		p.at(n, "%s must be at least %d, not %d", what, low, v)
	case v < low || v > high:
		p.at(n, "%s must be between %d and %d, not %d", what, low, high, v)
	default:
		return v
	}
	return low
}

var durationPattern = regexp.MustCompile(`^(?:(\d+(?:\.\d+)?)(ms|s|m|h))+$`)

// duration is 500ms, 4s, 2m, 1h (also 1m30s), or plain milliseconds.
func (p *problems) duration(n *yaml.Node, what string) time.Duration {
	if plain(n, "!!int") {
		if ms, err := strconv.ParseInt(n.Value, 10, 64); err == nil && ms >= 0 && ms <= math.MaxInt64/int64(time.Millisecond) {
			return time.Duration(ms) * time.Millisecond
		}
	}
	if plain(n, "!!str") && durationPattern.MatchString(n.Value) {
		if d, err := time.ParseDuration(n.Value); err == nil {
			return d
		}
	}
	p.at(n, "%s must be a duration such as 500ms, 4s, 2m or 1h, or plain milliseconds, not %s", what, describe(n))
	return 0
}

var sizePattern = regexp.MustCompile(`^(\d+(?:\.\d+)?)([KMG]?)B?$`)

// size is 512M, 1.5G, 200K, or plain bytes (also 512B); a unit is 1024 of the one before it.
func (p *problems) size(n *yaml.Node, what string) int64 {
	m := sizePattern.FindStringSubmatch(strings.ToUpper(n.Value))
	if n.Kind == yaml.ScalarNode && m != nil {
		unit := map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[m[2]]
		if v, err := strconv.ParseFloat(m[1], 64); err == nil && v*unit < 1<<60 && (m[2] != "" || v == math.Trunc(v)) {
			return int64(v * unit)
		}
	}
	p.at(n, "%s must be a size such as 512M, 1.5G or 200K, or plain bytes, not %s", what, describe(n))
	return 0
}

// oneOf is one of a few words.
func (p *problems) oneOf(n *yaml.Node, what string, words ...string) string {
	if n.Kind == yaml.ScalarNode {
		for _, w := range words {
			if n.Value == w {
				return w
			}
		}
	}
	p.at(n, "%s must be %s, not %s", what, orList(words), describe(n))
	return words[0]
}

// list is a list of strings; one string is a list of one.
func (p *problems) list(n *yaml.Node, what string) []string {
	if n.Kind == yaml.ScalarNode {
		if s := p.text(n, what); s != "" {
			return []string{s}
		}
		return nil
	}
	return p.sequence(n, what)
}

// sequence is a list of strings, written as a list.
func (p *problems) sequence(n *yaml.Node, what string) []string {
	if n.Kind != yaml.SequenceNode {
		p.at(n, "%s must be a list, not %s", what, describe(n))
		return nil
	}
	out := make([]string, 0, len(n.Content))
	for _, child := range n.Content {
		out = append(out, p.element(child, "an element of "+what))
	}
	return out
}

// argv is a program and its arguments: a list as it is, a string run by the shell.
func (p *problems) argv(n *yaml.Node, what string) []string {
	if n.Kind == yaml.ScalarNode {
		if s := p.text(n, what); s != "" {
			return []string{"/bin/sh", "-c", s}
		}
		return nil
	}
	out := p.sequence(n, what)
	if n.Kind == yaml.SequenceNode && (len(out) == 0 || out[0] == "") {
		p.at(n, "%s must start with a program", what)
	}
	return out
}

// words is a list, or a string split at blanks outside quotes.
func (p *problems) words(n *yaml.Node, what string) []string {
	if n.Kind != yaml.ScalarNode {
		return p.sequence(n, what)
	}
	out, err := splitWords(p.element(n, what))
	if err != nil {
		p.at(n, "%s: %v", what, err)
	}
	return out
}

// splitWords splits as a shell does, without its expansions: blanks separate, quotes group, a backslash outside
// single quotes takes the next character as it is.
func splitWords(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	var quote rune
	open, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if open {
				out = append(out, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 {
		return out, fmt.Errorf("a quote %c is not closed", quote)
	}
	if open {
		out = append(out, word.String())
	}
	return out, nil
}

// orList is "a, b or c".
func orList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
