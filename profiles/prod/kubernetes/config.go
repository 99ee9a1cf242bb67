package kubernetes

import (
	"regexp"
	"strings"

	"devstack/profiles/prod"
)

// longestLine is the longest line in bytes that kustomize reads whole, with room for the name.
const longestLine = 48 << 10

func configName(w prod.Workload) string { return w.Name + "-config" }

// secretName is the Secret of all apps; a backing service has one of its own, so that its password is not theirs.
func (o objects) secretName() string { return o.stack + "-secrets" }

func backingSecretName(b prod.Backing) string { return b.Name + "-secrets" }

func secretRef(name, key string) fields { return fields{"secretKeyRef": reference{name, key}} }

// yamlWord is a name that kustomize, as a key, takes for a truth value or for nothing.
var yamlWord = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)

// isLine says that a variable is a line of a file that kustomize's generator reads.
func isLine(v prod.Variable) bool {
	return len(v.Value) < longestLine && !strings.ContainsAny(v.Value, "\r\n") && !yamlWord.MatchString(v.Name)
}

// literal is a variable of the pod itself.
func literal(name, value string) variable {
	escaped := escape(value)
	return variable{Name: name, Value: &escaped}
}

// configLines are the plain values as kustomize's generator reads them: NAME=VALUE, everything after the first = as it is,
// without quotes or escapes. Nothing expands them later. Values that are no line are in the pod.
func configLines(w prod.Workload) []byte {
	var b strings.Builder
	for _, v := range w.Config {
		if isLine(v) {
			b.WriteString(v.Name + "=" + v.Value + "\n")
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return []byte(prod.Header + b.String())
}

// env is what the ConfigMap does not hold: values of several lines, escaped, and the names of secrets.
func (o objects) env(w prod.Workload) []variable {
	var out []variable
	for _, v := range w.Config {
		if !isLine(v) {
			out = append(out, literal(v.Name, v.Value))
		}
	}
	for _, s := range w.Secrets {
		out = append(out, variable{Name: s.Name, ValueFrom: secretRef(o.secretName(), s.Name)})
	}
	return out
}

// required is secrets.required.yaml.
type required struct {
	Secrets []requiredSecret `yaml:"secrets"`
}

type requiredSecret struct {
	Name string        `yaml:"name"`
	Keys []requiredKey `yaml:"keys"`
}

type requiredKey struct {
	Key       string   `yaml:"key"`
	Reason    string   `yaml:"reason"`
	Consumers []string `yaml:"consumers"`
}

// requiredSecrets are the Secrets that must exist before the first pod starts.
func (r *renderer) requiredSecrets() required {
	apps := requiredSecret{Name: r.secretName()}
	for _, w := range r.Model.Workloads {
		for _, s := range w.Secrets {
			apps.add(s, w.Name)
		}
	}
	var out required
	if len(apps.Keys) > 0 {
		out.Secrets = append(out.Secrets, apps)
	}
	for _, b := range r.Model.Backing {
		if b.Container == nil || len(b.Container.Secrets) == 0 {
			continue
		}
		own := requiredSecret{Name: backingSecretName(b)}
		for _, s := range b.Container.Secrets {
			own.add(s, b.Name)
		}
		out.Secrets = append(out.Secrets, own)
	}
	return out
}

func (s *requiredSecret) add(secret prod.Secret, consumer string) {
	for i := range s.Keys {
		if s.Keys[i].Key == secret.Name {
			s.Keys[i].Consumers = append(s.Keys[i].Consumers, consumer)
			return
		}
	}
	s.Keys = append(s.Keys, requiredKey{Key: secret.Name, Reason: string(secret.Reason), Consumers: []string{consumer}})
}
