package kubernetes_test

import (
	"strings"
	"testing"

	"devstack/conformance/kubernetes"
)

// Every mistake in a manifest that is otherwise right is found: a golden file that is not valid fails.
func TestMistakesAreFound(t *testing.T) {
	built, err := kubernetes.Build(exports(t)["everything"], "overlays/production")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, old, new, want string }{
		{"an unknown field", "workingDir: /app", "workDir: /app", `unknown field "spec.template.spec.containers[0].workDir"`},
		{"a field twice", "revisionHistoryLimit: 5", "revisionHistoryLimit: 5\n  revisionHistoryLimit: 5", "already set in map"},
		{"a wrong type", "replicas: 1", "replicas: one", "cannot unmarshal"},
		{"a name that YAML 1.1 takes for true", "name: \"on\"", "name: on", "cannot unmarshal"},
		{"a kind that is none", "kind: PodDisruptionBudget", "kind: PodDisruption", "no kind"},
		{"a removed version", "apiVersion: autoscaling/v2\n", "apiVersion: autoscaling/v2beta2\n", "not a stable version"},
		{"a port out of range", "containerPort: 3000", "containerPort: 70000", "must be between 1 and 65535"},
		{"a long port name", "containerPort: 3000\n          name: http\n", "containerPort: 3000\n          name: a-name-that-is-too-long\n", "must be no more than 15"},
		{"a selector that finds nothing", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: worker", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: wrker", "`selector` does not match template `labels`"},
		{"a label's syntax", "app.kubernetes.io/part-of: everything", "app.kubernetes.io/part-of: every thing", "a valid label must be"},
		{"more requested than the limit", "memory: 700Mi\n          requests:", "memory: 100Mi\n          requests:", "must be less than or equal to memory limit"},
		{"a Deployment that ends", "shareProcessNamespace: true", "restartPolicy: Never", "Unsupported value: \"Never\""},
		{"a pause longer than the grace", "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 4", "less than terminationGracePeriodSeconds (4)"},
		{"two ways to ask", "          httpGet:\n", "          tcpSocket:\n            port: http\n          httpGet:\n", "may not specify more than 1 handler type"},
		{"a schedule", "schedule: 30 2 * * 1-5", "schedule: 30 26 * * *", "above maximum"},
		{"a time zone", "timeZone: Europe/Berlin", "timeZone: Europe/Bonn", "unknown time zone"},
		{"more replicas than the most", "maxReplicas: 8", "maxReplicas: 2", "must be greater than or equal to `minReplicas`"},
		{"a budget's policy", "unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: Always", "Unsupported value"},
		{"a network policy's type", "- Egress", "- Outgress", "Unsupported value"},
		{"a secret without a key", "key: DATABASE_URL", "key: DATABASE URL", "a valid config key must consist of"},
		{"root", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot != true"},
		{"the user 0", "runAsUser: 10001", "runAsUser: 0", "runAsUser=0"},
		{"escalation", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation != false"},
		{"capabilities", "            - ALL", "            - CHOWN", "unrestricted capabilities"},
		{"no seccomp", "type: RuntimeDefault", "type: Unconfined", "seccompProfile"},
		{"a host's path", "emptyDir:\n          sizeLimit: 256Mi", "hostPath:\n          path: /tmp", "restricted volume type \"hostPath\""},
		{"a host in a probe", "path: /healthz?deep=no", "host: 10.0.0.1\n            path: /healthz?deep=no", "probe or lifecycle host"},
		{"the host's network", "enableServiceLinks: false", "hostNetwork: true", "hostNetwork=true"},
		{"a variable twice", "- name: DATABASE_URL\n          valueFrom", "- name: DATABASE_URL\n          value: x\n        - name: DATABASE_URL\n          valueFrom", "hides previous definition"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(string(built), c.old, c.new, 1)
			if bad == string(built) {
				t.Fatalf("there is no %q in the manifests", c.old)
			}
			problems := strings.Join(kubernetes.Problems([]byte(bad)), "\n")
			if !strings.Contains(problems, c.want) {
				t.Errorf("got %q, want %q in it", problems, c.want)
			}
		})
	}
}
