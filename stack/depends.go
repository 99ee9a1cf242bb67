package stack

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// dependsOn reads a list of names, which wait for ready, or Compose's map of conditions.
func (d *definition) dependsOn(n *yaml.Node) []edge {
	var out []edge
	switch n.Kind {
	case yaml.SequenceNode:
		for _, child := range n.Content {
			name := d.element(child, "an element of depends_on")
			if slices.ContainsFunc(out, func(e edge) bool { return e.Name == name }) {
				d.at(child, "depends_on names %q twice", name)
				continue
			}
			out = append(out, edge{child, Dependency{Name: name, Condition: Healthy}})
		}
	case yaml.MappingNode:
		for _, e := range d.entries(n, "depends_on") {
			out = append(out, edge{e.key, Dependency{Name: e.key.Value, Condition: d.condition(e)}})
		}
	default:
		d.at(n, "depends_on must be a list of names, or a mapping of names to conditions, not %s", describe(n))
	}
	return out
}

func (d *definition) condition(dependency entry) Condition {
	what := "depends_on." + dependency.key.Value
	condition := Healthy
	for _, e := range d.entries(dependency.value, what) {
		switch e.key.Value {
		case "condition":
			condition = Condition(d.oneOf(e.value, what+".condition", string(Healthy), string(Started), string(Completed)))
		case "restart", "required":
			d.at(e.key, "%s.%s is for containers only", what, e.key.Value)
		default:
			d.unknownKey(e, what, []string{"condition"})
		}
	}
	return condition
}

// connect resolves the names in depends_on, and reports unknown ones, names that are used twice, and cycles.
func (s *ecosystem) connect(out *Stack) {
	apps := map[string]*definition{}
	var names, disabled []string
	if out.Compose != nil {
		names, disabled = out.Compose.ServiceNames(), out.Compose.DisabledServiceNames()
	}
	services := slices.Clone(names)
	for _, d := range s.apps {
		if slices.Contains(services, d.Name) {
			s.at(d.node, "an app and a service are both named %q", d.Name).Hint = "rename the app: dependencies and commands use one name for one thing"
		}
		apps[d.Name] = d
		names = append(names, d.Name)
	}
	for _, d := range s.apps {
		for _, e := range d.edges {
			e.Service = slices.Contains(services, e.Name)
			target := apps[e.Name]
			switch {
			case e.Service:
			case target == nil && slices.Contains(disabled, e.Name):
				s.at(e.node, "app %q depends on service %q, which is not selected", d.Name, e.Name).Hint = "add it to `services`"
			case target == nil:
				s.at(e.node, "app %q depends on %q, which is neither an app nor a service%s", d.Name, e.Name, didYouMean(e.Name, names))
			case e.Condition == Completed && target.Autorestart && !target.OneShot:
				s.at(e.node, "app %q waits until %q has completed, but %q is restarted when it ends", d.Name, e.Name, e.Name).Hint =
					"set one_shot: true for " + e.Name
			}
			d.DependsOn = append(d.DependsOn, e.Dependency)
		}
	}
	s.findCycle(apps)
}

// findCycle reports the first cycle as a path, at the position of its last edge.
func (s *ecosystem) findCycle(apps map[string]*definition) {
	const onPath, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(name string, node *yaml.Node) bool
	visit = func(name string, node *yaml.Node) bool {
		switch state[name] {
		case onPath:
			cycle := append(path[slices.Index(path, name):], name)
			s.at(node, "dependency cycle: %s", strings.Join(cycle, " -> ")).Hint = "remove one of these dependencies"
			return true
		case done:
			return false
		}
		state[name] = onPath
		path = append(path, name)
		if d := apps[name]; d != nil {
			for _, e := range d.edges {
				if visit(e.Name, e.node) {
					return true
				}
			}
		}
		path = path[:len(path)-1]
		state[name] = done
		return false
	}
	for _, d := range s.apps {
		if visit(d.Name, d.node) {
			return
		}
	}
}
