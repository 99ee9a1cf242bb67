package stack

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// GlobRoot splits a glob, which is absolute or relative to dir, into the path without wildcards that it starts with and
// the pattern that paths relative to it have to match. A match counts with all that is below it. A nil pattern matches
// everything.
func GlobRoot(dir, glob string) (root string, pattern *regexp.Regexp) {
	if !filepath.IsAbs(glob) {
		glob = filepath.Join(dir, glob)
	}
	glob = filepath.Clean(glob)
	parts := strings.Split(glob, "/")
	i := slices.IndexFunc(parts, func(part string) bool { return strings.ContainsAny(part, "*?[{") })
	if i < 0 {
		return glob, nil
	}
	return "/" + filepath.Join(parts[:i]...), CompileGlob("", strings.Join(parts[i:], "/"), "(?:/.*)?")
}

// CompileGlob translates *, ?, [a-z], {a,b} and ** (any number of directories). What is no glob is taken literally.
// before and after are regular expressions around it.
func CompileGlob(before, glob, after string) *regexp.Regexp {
	glob = strings.ToValidUTF8(glob, "\uFFFD") // as regexp reads the bytes of a path that are not UTF-8
	re, err := regexp.Compile("^" + before + globSource(glob) + after + "$")
	if err != nil {
		return regexp.MustCompile("^" + before + regexp.QuoteMeta(glob) + after + "$")
	}
	return re
}

func globSource(glob string) string {
	var out strings.Builder
	braces := 0
	for i := 0; i < len(glob); i++ {
		rest := glob[i:]
		switch c := glob[i]; {
		case strings.HasPrefix(rest, "**/"):
			out.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(rest, "**"):
			out.WriteString(".*")
			i++
		case c == '*':
			out.WriteString("[^/]*")
		case c == '?':
			out.WriteString("[^/]")
		case c == '[' && strings.Contains(rest[1:], "]"):
			end := strings.IndexByte(rest[1:], ']') + 1
			class := rest[1:end]
			if strings.HasPrefix(class, "!") {
				class = "^" + class[1:]
			}
			out.WriteString("[" + strings.ReplaceAll(class, `\`, `\\`) + "]")
			i += end
		case c == '{' && strings.Contains(rest, "}"):
			braces++
			out.WriteString("(?:")
		case c == '}' && braces > 0:
			braces--
			out.WriteString(")")
		case c == ',' && braces > 0:
			out.WriteString("|")
		case c == '\\' && len(rest) > 1:
			i++
			out.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		case c < 0x80:
			out.WriteString(regexp.QuoteMeta(rest[:1]))
		default:
			out.WriteByte(c) // a part of a longer character
		}
	}
	return out.String()
}
