package pilot

import (
	"fmt"
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Environment is what systemd makes of an environment file, as KEY=VALUE, except that a quoted value ends with its line.
func Environment(text string) []string {
	var all []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\\\n", ""), "\n") {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || strings.HasPrefix(line, ";") || !variableName.MatchString(key) {
			continue
		}
		all = append(all, key+"="+unquote(strings.TrimSpace(value)))
	}
	return all
}

// unquote reads a value: 'literal', "with \" and \\", and plain text in which a backslash keeps the next character.
func unquote(text string) string {
	var out strings.Builder
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			if next := text[i]; quote == '"' && !strings.ContainsRune("\"\\`$", rune(next)) {
				out.WriteByte('\\')
			}
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// skeleton is a new environment file: the names, and no value. They are comments, because an empty value is one, too.
func skeleton(project string, required []string) File {
	var text strings.Builder
	fmt.Fprintf(&text, "# The environment of the stack %s, read by systemd at its start: NAME=VALUE in each line, \"quoted\" where it holds\n", project)
	text.WriteString("# spaces or a #. devstack writes this file once. After a change: systemctl restart " + project + "\n")
	for _, name := range required {
		text.WriteString("\n#" + name + "=\n")
	}
	return File{Path: EnvFile(project), Mode: 0o600, Text: text.String()}
}
