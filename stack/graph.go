package stack

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Node is a container or an app in the dependency graph.
type Node struct {
	Name      string
	Service   bool // a container; false: an app
	DependsOn []Dependency
}

// Graph is every service, by name, and every app, in file order. Names are unique over both.
func (s *Stack) Graph() []Node {
	var out []Node
	if s.Compose != nil {
		for _, name := range s.Compose.ServiceNames() {
			n := Node{Name: name, Service: true}
			service := s.Compose.Services[name]
			for _, dependency := range service.GetDependencies() {
				condition := Condition(service.DependsOn[dependency].Condition)
				n.DependsOn = append(n.DependsOn, Dependency{Name: dependency, Service: true, Condition: condition})
			}
			slices.SortFunc(n.DependsOn, func(a, b Dependency) int { return strings.Compare(a.Name, b.Name) })
			out = append(out, n)
		}
	}
	for _, a := range s.Apps {
		out = append(out, Node{Name: a.Name, DependsOn: a.DependsOn})
	}
	return out
}

// Layers are the names in the order of starting: a layer needs only what earlier layers hold. The members of a layer
// can start at the same time.
func (s *Stack) Layers() [][]string {
	nodes := s.Graph()
	depth := map[string]int{}
	var out [][]string
	for len(depth) < len(nodes) {
		var layer []string
		for _, n := range nodes {
			_, done := depth[n.Name]
			ready := !slices.ContainsFunc(n.DependsOn, func(d Dependency) bool { _, ok := depth[d.Name]; return !ok })
			if !done && ready {
				layer = append(layer, n.Name)
			}
		}
		if layer == nil { // a cycle, which Load does not let through
			return out
		}
		for _, name := range layer {
			depth[name] = len(out)
		}
		out = append(out, layer)
	}
	return out
}

// Order is the order of starting, dependencies first. Backwards it is the order of stopping.
func (s *Stack) Order() []string { return slices.Concat(s.Layers()...) }

// Closure is the names with everything they need, in the order of starting. No names mean everything; a name that
// does not exist is an *UnknownError.
func (s *Stack) Closure(names ...string) ([]string, error) {
	return s.reach(names, func(n Node) []string { return dependencyNames(n) })
}

// Dependents is the names with everything that needs them, in the order of starting. No names mean everything; a name
// that does not exist is an *UnknownError.
func (s *Stack) Dependents(names ...string) ([]string, error) {
	needs := map[string][]string{}
	for _, n := range s.Graph() {
		for _, d := range n.DependsOn {
			needs[d.Name] = append(needs[d.Name], n.Name)
		}
	}
	return s.reach(names, func(n Node) []string { return needs[n.Name] })
}

func (s *Stack) reach(names []string, next func(Node) []string) ([]string, error) {
	order := s.Order()
	if len(names) == 0 {
		return order, nil
	}
	nodes := map[string]Node{}
	for _, n := range s.Graph() {
		nodes[n.Name] = n
	}
	seen := map[string]bool{}
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		n, ok := nodes[queue[0]]
		if !ok {
			return nil, &UnknownError{Kind: "app or service", Name: queue[0], Hint: didYouMean(queue[0], order)}
		}
		if !seen[n.Name] {
			seen[n.Name] = true
			queue = append(queue, next(n)...)
		}
	}
	return slices.DeleteFunc(order, func(name string) bool { return !seen[name] }), nil
}

func dependencyNames(n Node) []string {
	out := make([]string, len(n.DependsOn))
	for i, d := range n.DependsOn {
		out[i] = d.Name
	}
	return out
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
			s.at(d.node, "app and service are both named %q", d.Name).Hint = "rename the app: dependencies and commands use one name for one thing"
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
				s.at(e.node, "app %q depends on %q, which is no app and no service%s", d.Name, e.Name, didYouMean(e.Name, names))
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
