package compose

import (
	"regexp"
	"slices"
	"strings"

	"devstack/profiles/prod"
)

// given are the variables that docker compose takes from outside, in the order of their first use.
type given struct {
	variables []outside
}

type outside struct {
	name  string
	about string   // what it is
	users []string // services that see it; none for an image
	empty bool     // an empty value is a value
}

// interpolated are the names that ${...} can have.
var interpolated = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// image is a place for an image's reference.
func (g *given) image(name, about string) string {
	g.variables = append(g.variables, outside{name: name, about: about})
	return "${" + name + ":?set " + name + " to " + about + "}"
}

// secret is a place for a secret's value. What need not be there in development may be empty here, not absent.
func (g *given) secret(user string, s prod.Secret) string {
	i := slices.IndexFunc(g.variables, func(o outside) bool { return o.name == s.Name })
	if i < 0 {
		i = len(g.variables)
		g.variables = append(g.variables, outside{name: s.Name, about: string(s.Reason), empty: mayBeEmpty(s.Reason)})
	}
	v := &g.variables[i]
	v.users = append(v.users, user)
	v.empty = v.empty && mayBeEmpty(s.Reason)
	if mayBeEmpty(s.Reason) {
		return "${" + s.Name + "?set " + s.Name + "}"
	}
	return "${" + s.Name + ":?set " + s.Name + "}"
}

func mayBeEmpty(r prod.Reason) bool {
	return r == prod.Unset || r == prod.FromOutside || r == prod.Interpolates
}

// example is a .env without a value: docker compose names what is missing as long as it is used as it is.
func (g *given) example() []byte {
	var b strings.Builder
	b.WriteString(prod.Header)
	b.WriteString(`# What compose.yaml needs from outside. Copy this to .env beside it, readable by its owner alone, or set the same
# variables where docker compose is started. 'Single quotes' keep $, # and newlines as they are.
`)
	for _, v := range g.variables {
		if len(v.users) == 0 {
			b.WriteString("\n# " + v.about + "\n" + v.name + "=\n")
			continue
		}
		b.WriteString("\n# " + v.about + "; for " + strings.Join(v.users, ", ") + "\n")
		if v.empty {
			b.WriteString("# It may be empty, but has to be there.\n# ")
		}
		b.WriteString(v.name + "=\n")
	}
	return []byte(b.String())
}
