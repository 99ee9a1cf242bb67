package prod

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"devstack/stack"
)

// fate is what became of one variable, for the report: never its value.
type fate struct {
	name   string
	origin string // as in stack.Variable; empty: nothing sets it
	secret Reason // empty: plain
	local  bool   // its value names this machine
	partly bool   // Interpolates, and there is more in it than the variable
}

// thisMachine finds an address that is another machine in production: there every workload has its own loopback.
var thisMachine = regexp.MustCompile(`(?i)(^|[^a-z0-9.-])(localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.docker\.internal)($|[^a-z0-9.-])`)

// variables sorts what the files declare into plain configuration and secrets. What only the caller's shell has is in
// neither.
func (a *account) variables() {
	a.w.Config, a.w.Secrets = []Variable{}, []Secret{}
	for _, v := range a.app.Environment {
		if !v.Declared || !a.ours(v) {
			continue
		}
		reason := a.reason(v)
		f := fate{name: v.Key, origin: v.Origin, secret: reason, partly: reason == Interpolates && v.Value != ""}
		if reason != "" {
			a.w.Secrets = append(a.w.Secrets, Secret{v.Key, reason})
		} else {
			a.w.Config = append(a.w.Config, Variable{v.Key, v.Value})
			f.local = thisMachine.MatchString(v.Value) || a.st.Dir != "" && strings.Contains(v.Value, a.st.Dir+"/")
		}
		a.vars = append(a.vars, f)
	}
	for _, name := range a.app.Open {
		reason := Unset
		switch {
		case soundsSecret(name):
			reason = SoundsSecret
		case slices.Contains(a.st.RequiredEnv, name):
			reason = Required
		}
		a.w.Secrets = append(a.w.Secrets, Secret{name, reason})
		a.vars = append(a.vars, fate{name: name, secret: reason})
	}
	if key := a.app.InstanceVar; key != "" && a.w.Replicas <= 1 && a.absent(key) {
		a.w.Config = append(a.w.Config, Variable{key, "0"})
	}
	if a.w.HasNode() && a.absent("NODE_ENV") {
		a.w.Config = append(a.w.Config, Variable{"NODE_ENV", "production"})
	}
	sortVariables(a.w.Config)
	slices.SortFunc(a.w.Secrets, func(x, y Secret) int { return cmp.Compare(x.Name, y.Name) })
}

func (a *account) absent(name string) bool {
	value, hidden := a.variable(name)
	return value == "" && !hidden && !slices.ContainsFunc(a.w.Config, func(v Variable) bool { return v.Name == name })
}

// ours says that the files ask for a variable. A machine's own .env may hold anything: of it only what is required counts.
func (a *account) ours(v stack.Variable) bool {
	if v.Key == a.app.InstanceVar {
		return false
	}
	return fromFiles(v.Origin) || v.Origin == "shell" || slices.Contains(a.st.RequiredEnv, v.Key)
}

// fromFiles says that a value is one of the files that every machine has: the app's env and env_file, and its port.
func fromFiles(origin string) bool {
	return origin == "port" || origin == "env" || strings.HasPrefix(origin, "env_file ")
}

// reason is why a variable's value stays outside; empty: it may be shown.
func (a *account) reason(v stack.Variable) Reason {
	switch {
	case v.Origin == "port":
		return ""
	case soundsSecret(v.Key) && (v.Value != "" || !fromFiles(v.Origin) || len(v.Unset) > 0):
		return SoundsSecret
	case !fromFiles(v.Origin) && slices.Contains(a.st.RequiredEnv, v.Key):
		return Required
	case !fromFiles(v.Origin):
		return FromOutside
	case slices.ContainsFunc(v.From, soundsSecret):
		return SoundsSecret
	case len(v.Unset) > 0:
		return Interpolates
	case stack.MaskText(v.Value) != v.Value:
		return LooksSecret
	}
	return ""
}

// soundsSecret is stack's rule of names.
func soundsSecret(name string) bool { return stack.Mask(name, "x") != "x" }
