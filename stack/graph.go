package stack

import (
	"slices"
	"strings"
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
// can start at the same time. What is needed and not there (devstack delete) is no reason to be left out.
func (s *Stack) Layers() [][]string {
	nodes := s.Graph()
	there := map[string]bool{}
	for _, n := range nodes {
		there[n.Name] = true
	}
	depth := map[string]int{}
	var out [][]string
	for len(depth) < len(nodes) {
		var layer []string
		for _, n := range nodes {
			_, done := depth[n.Name]
			ready := !slices.ContainsFunc(n.DependsOn, func(d Dependency) bool { _, ok := depth[d.Name]; return !ok && there[d.Name] })
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
		if !ok && !slices.Contains(names, queue[0]) {
			continue // needed, and not there
		}
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
