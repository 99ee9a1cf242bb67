package draft

import (
	"fmt"
	"strings"
	"unicode"
)

// appName makes a package's or an app's name one that commands can use: without its scope, never a number, never `all`.
func appName(name, otherwise string) string {
	name = name[strings.LastIndex(name, "/")+1:]
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '/' || unicode.IsSpace(r) {
			return '-'
		}
		return r
	}, strings.TrimSpace(name)), "-.")
	switch {
	case name == "" && otherwise == "":
		return "app"
	case name == "":
		return appName(otherwise, "")
	case name == "all" || strings.Trim(name, "0123456789") == "":
		return "app-" + name
	case len(name) > 60:
		return strings.ToValidUTF8(name[:60], "")
	}
	return name
}

// unique counts a name up until nobody has it, and takes it.
func unique(name string, taken map[string]bool) string {
	candidate := name
	for n := 2; taken[candidate]; n++ {
		candidate = fmt.Sprintf("%s-%d", name, n)
	}
	taken[candidate] = true
	return candidate
}
