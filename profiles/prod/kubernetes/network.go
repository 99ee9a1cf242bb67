package kubernetes

import (
	"slices"

	"devstack/profiles/prod"
)

type networkSpec struct {
	Pods    any       `yaml:"podSelector"`
	Types   []string  `yaml:"policyTypes"`
	Ingress []ingress `yaml:"ingress,omitempty"`
	Egress  []egress  `yaml:"egress,omitempty"`
}

type ingress struct {
	From  []peer        `yaml:"from"`
	Ports []networkPort `yaml:"ports"`
}

type egress struct {
	To    []peer        `yaml:"to,omitempty"` // empty: anywhere
	Ports []networkPort `yaml:"ports"`
}

type peer struct {
	Pods       *selector `yaml:"podSelector,omitempty"`
	Namespaces *struct{} `yaml:"namespaceSelector,omitempty"` // {}: all
}

type networkPort struct {
	Protocol string `yaml:"protocol"`
	Port     int    `yaml:"port"`
}

func tcp(port int) []networkPort { return []networkPort{{"TCP", port}} }

// network makes the policies of one stack: nothing is reached that is not asked for.
type network struct {
	objects
	m prod.Model
}

// policy is what is let in to the pods of a workload or a backing service, and out of them.
func (n network) policy(name, component string, spec networkSpec) object {
	spec.Pods = selector{n.selects(name)}
	return n.object("networking.k8s.io/v1", "NetworkPolicy", name, component, spec)
}

// defaultDeny is for every pod of the stack: in, nothing; out, names (whoever resolves them, as clusters differ in where
// that is) and HTTPS. What else is allowed is in each app's own policy. Its name has a dot, which no workload's has.
func (n network) defaultDeny() object {
	name := n.m.Name + ".default-deny"
	spec := networkSpec{
		Pods:  selector{labels{PartOf: n.m.Name}},
		Types: []string{"Ingress", "Egress"},
		Egress: []egress{
			{Ports: []networkPort{{"UDP", 53}, {"TCP", 53}}},
			{Ports: tcp(443)},
		},
	}
	return object{
		APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy",
		Metadata: metadata{Name: name, Labels: labels{PartOf: n.m.Name, ManagedBy: "devstack"}}, Spec: spec,
	}
}

// allow is what a workload's edges need; false when they need nothing.
func (n network) allow(w prod.Workload) (object, bool) {
	spec := networkSpec{Types: []string{}}
	if from := n.callers(w); len(from) > 0 && len(w.Ports) > 0 {
		spec.Types = append(spec.Types, "Ingress")
		spec.Ingress = []ingress{{From: from, Ports: tcp(w.Ports[0].Number)}}
	}
	for _, e := range w.Edges {
		if port, managed := n.portOf(e); port != 0 {
			out := egress{Ports: tcp(port)}
			if !managed {
				out.To = []peer{{Pods: &selector{n.selects(e.Name)}}}
			}
			spec.Egress = append(spec.Egress, out)
		}
	}
	if len(spec.Egress) > 0 {
		spec.Types = append(spec.Types, "Egress")
	}
	return n.policy(w.Name, string(w.Kind), spec), len(spec.Types) > 0
}

// callers are the workloads that depend on w.
func (n network) callers(w prod.Workload) []peer {
	var out []peer
	for _, other := range n.m.Workloads {
		if slices.ContainsFunc(other.Edges, func(e prod.Edge) bool { return !e.Backing && e.Name == w.Name }) {
			out = append(out, peer{Pods: &selector{n.selects(other.Name)}})
		}
	}
	return out
}

// portOf is the port at the end of an edge, 0 for none; managed says that it is outside of the cluster, at an address
// that only a secret knows.
func (n network) portOf(e prod.Edge) (port int, managed bool) {
	if e.Backing {
		for _, b := range n.m.Backing {
			if b.Name == e.Name {
				return b.Port, b.Container == nil
			}
		}
		return 0, false
	}
	for _, w := range n.m.Workloads {
		if w.Name == e.Name && len(w.Ports) > 0 {
			return w.Ports[0].Number, false
		}
	}
	return 0, false
}

// fromOutside opens the port of a workload for every namespace.
func (n network) fromOutside(w prod.Workload) object {
	o := n.policy(w.Name, string(w.Kind), networkSpec{
		Types:   []string{"Ingress"},
		Ingress: []ingress{{From: []peer{{Namespaces: &struct{}{}}}, Ports: tcp(w.Ports[0].Number)}},
	})
	o.Metadata.Name += ".from-outside"
	return o
}

// toBacking lets those who need a backing service reach it.
func (n network) toBacking(b prod.Backing) object {
	spec := networkSpec{Types: []string{"Ingress"}}
	var from []peer
	for _, name := range b.Consumers {
		from = append(from, peer{Pods: &selector{n.selects(name)}})
	}
	if len(from) > 0 {
		spec.Ingress = []ingress{{From: from, Ports: tcp(b.Port)}}
	}
	return n.policy(b.Name, "backing", spec)
}
