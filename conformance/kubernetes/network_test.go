package kubernetes_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// The network policies let through what depends_on names and nothing else between the stack's own pods; names and HTTPS
// outside; and in an overlay, connections from outside to the ports of apps, until the user narrows that.
func TestOnlyEdgesConnect(t *testing.T) {
	cases := map[string]struct{ edges, outside []string }{
		"sample": {
			edges: []string{
				"agent-deployment -> orchestrator:3000", "agent-e2e -> orchestrator:3000", "agent-integration -> orchestrator:3000",
				"agent-scaffold -> orchestrator:3000", "agent-validation -> orchestrator:3000",
			},
			outside: []string{"orchestrator:3000"},
		},
		"everything": {
			edges: []string{
				"migrate -> postgres:5432", "on -> web-api:3000", "report -> postgres:5432", "web-api -> postgres:5432",
				"web-api -> redis:6379", "worker -> mail:1025", "worker -> redis:6379",
			},
			outside: []string{"admin:8080", "on:9000", "web-api:3000"},
		},
	}
	for name, want := range cases {
		files := exports(t)[name]
		if diff := cmp.Diff(want.edges, policiesOf(build(t, files, "base")).edges(t)); diff != "" {
			t.Errorf("%s: edges: -want +got:\n%s", name, diff)
		}
		for root, outside := range map[string][]string{"base": nil, "overlays/production": want.outside} {
			n := policiesOf(build(t, files, root))
			if diff := cmp.Diff(outside, n.fromOutside(t)); diff != "" {
				t.Errorf("%s: %s: from outside: -want +got:\n%s", name, root, diff)
			}
			for pod, template := range n.pods {
				for port, want := range map[int32]bool{53: true, 443: true, 80: false, 22: false} {
					if got := n.out(t, template, nil, port); got != want {
						t.Errorf("%s: %s reaches port %d outside: %v", name, pod, port, got)
					}
				}
			}
		}
	}
}

type network struct {
	cluster
	policies []*networkingv1.NetworkPolicy
}

func policiesOf(c cluster) network {
	n := network{cluster: c}
	for _, o := range c.objects {
		if p, is := o.(*networkingv1.NetworkPolicy); is {
			n.policies = append(n.policies, p)
		}
	}
	return n
}

// edges are all connections that are let through between pods.
func (n network) edges(t *testing.T) []string {
	t.Helper()
	var out []string
	for to, pod := range n.pods {
		for _, port := range pod.Spec.Containers[0].Ports {
			for from, caller := range n.pods {
				if n.out(t, caller, labels.Set(pod.Labels), port.ContainerPort) && n.in(t, labels.Set(caller.Labels), pod, port.ContainerPort) {
					out = append(out, fmt.Sprintf("%s -> %s:%d", from, to, port.ContainerPort))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func (n network) fromOutside(t *testing.T) []string {
	t.Helper()
	var out []string
	for to, pod := range n.pods {
		for _, port := range pod.Spec.Containers[0].Ports {
			if n.in(t, nil, pod, port.ContainerPort) {
				out = append(out, fmt.Sprintf("%s:%d", to, port.ContainerPort))
			}
		}
	}
	slices.Sort(out)
	return out
}

// in says whether a connection from a pod with labels (nil: from another namespace) may come into a pod. Once a policy
// selects it, only what some policy names may.
func (n network) in(t *testing.T, from labels.Set, pod *corev1.PodTemplateSpec, port int32) bool {
	t.Helper()
	isolated := false
	for _, p := range n.policies {
		if !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) || !selector(t, &p.Spec.PodSelector).Matches(labels.Set(pod.Labels)) {
			continue
		}
		isolated = true
		for _, rule := range p.Spec.Ingress {
			if names(rule.Ports, port) && among(t, rule.From, from) {
				return true
			}
		}
	}
	return !isolated
}

// out says whether a connection from a pod to one with labels (nil: to an address outside) may go out.
func (n network) out(t *testing.T, pod *corev1.PodTemplateSpec, to labels.Set, port int32) bool {
	t.Helper()
	isolated := false
	for _, p := range n.policies {
		if !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) || !selector(t, &p.Spec.PodSelector).Matches(labels.Set(pod.Labels)) {
			continue
		}
		isolated = true
		for _, rule := range p.Spec.Egress {
			if names(rule.Ports, port) && among(t, rule.To, to) {
				return true
			}
		}
	}
	return !isolated
}

func names(ports []networkingv1.NetworkPolicyPort, port int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntVal == port })
}

// among: a peer that names namespaces means all of them, as no other is written; no peer at all means everywhere.
func among(t *testing.T, peers []networkingv1.NetworkPolicyPeer, pod labels.Set) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.NamespaceSelector != nil {
			return true
		}
		return pod != nil && selector(t, p.PodSelector).Matches(pod)
	})
}
