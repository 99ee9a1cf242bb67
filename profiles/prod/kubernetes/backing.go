package kubernetes

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devstack/profiles/prod"
)

// claimSize is what a volume gets, as no file says how large it is.
const claimSize = "10Gi"

type statefulSetSpec struct {
	ServiceName string   `yaml:"serviceName,omitempty"`
	Replicas    int      `yaml:"replicas"`
	Selector    selector `yaml:"selector"`
	Template    template `yaml:"template"`
	Claims      []fields `yaml:"volumeClaimTemplates,omitempty"`
}

// backing is everything of a backing service that is a container: one replica that keeps its volumes.
func (r *renderer) backing(b prod.Backing) []any {
	r.checkBacking(b)
	r.accountBacking(b)
	out := []any{r.serviceAccount(b.Name, "backing")}
	if b.Port != 0 {
		service := serviceSpec{Selector: r.selects(b.Name), Ports: []servicePort{{Name: "tcp", Port: b.Port, TargetPort: "tcp"}}}
		out = append(out, r.network.toBacking(b), r.object("v1", "Service", b.Name, "backing", service))
	}
	spec := statefulSetSpec{
		Replicas: 1, Selector: selector{r.selects(b.Name)},
		Template: template{Metadata: metadata{Labels: r.labels(b.Name, "backing")}, Spec: backingPod(b)},
	}
	if b.Port != 0 {
		spec.ServiceName = b.Name
	}
	for _, v := range b.Container.Volumes {
		resources := fields{"requests": fields{"storage": claimSize}}
		spec.Claims = append(spec.Claims, fields{
			"metadata": metadata{Name: v.Name},
			"spec":     fields{"accessModes": []string{"ReadWriteOnce"}, "resources": resources},
		})
	}
	return append(out, r.object("apps/v1", "StatefulSet", b.Name, "backing", spec))
}

func backingPod(b prod.Backing) podSpec {
	user, _ := backingUser(b)
	c := b.Container
	memory := c.Memory
	if memory == 0 {
		memory = prod.DefaultMemory
	}
	size := quantity(memory)
	main := container{
		Name: b.Name, Image: text(b.Image), PullPolicy: "IfNotPresent", Command: escapeAll(c.Entrypoint), Args: escapeAll(c.Command),
		Resources: resources{
			Requests: amounts{CPU: strconv.Itoa(prod.DefaultCPUMillis) + "m", Memory: size, Storage: "256Mi"},
			Limits:   amounts{Memory: size, Storage: "1Gi"},
		},
		Security: containerSecurity{ReadOnly: b.Kind != prod.Other, Capabilities: fields{"drop": []string{"ALL"}}},
	}
	if b.Port != 0 {
		main.Ports = []containerPort{{"tcp", b.Port}}
	}
	for _, v := range c.Config {
		main.Env = append(main.Env, literal(v.Name, v.Value))
	}
	main.Env = append(main.Env, dataDirectory(b)...)
	for _, s := range c.Secrets {
		main.Env = append(main.Env, variable{Name: s.Name, ValueFrom: secretRef(backingSecretName(b), s.Name)})
	}
	main.Startup, main.Readiness, main.Liveness = backingProbes(c.Probe)
	spec := podSpec{ServiceAccount: b.Name, Grace: seconds(c.StopGrace), Security: security(user, user)}
	for _, v := range c.Volumes {
		main.Mounts = append(main.Mounts, volumeMount{Name: v.Name, Path: text(v.Target), ReadOnly: v.ReadOnly})
	}
	for _, dir := range scratch(b) {
		name := "scratch" + strings.ReplaceAll(dir, "/", "-")
		main.Mounts = append(main.Mounts, volumeMount{Name: name, Path: text(dir)})
		spec.Volumes = append(spec.Volumes, volume{Name: name, EmptyDir: fields{"sizeLimit": "256Mi"}})
	}
	spec.Containers = []container{main}
	return spec
}

// scratch are the directories that a server writes to beside its volumes.
func scratch(b prod.Backing) []string {
	dirs := map[prod.BackingKind][]string{prod.Postgres: {"/tmp", "/var/run/postgresql"}, prod.Redis: {"/tmp", "/data"}, prod.Other: {"/tmp"}}[b.Kind]
	return slices.DeleteFunc(dirs, func(dir string) bool {
		return slices.ContainsFunc(b.Container.Volumes, func(v prod.Volume) bool { return path.Clean(v.Target) == dir })
	})
}

// dataDirectory is below the volume's root, which belongs to root and may have a lost+found: Postgres wants one of its own.
func dataDirectory(b prod.Backing) []variable {
	c := b.Container
	if b.Kind != prod.Postgres || len(c.Volumes) == 0 || slices.ContainsFunc(c.Config, func(v prod.Variable) bool { return v.Name == "PGDATA" }) {
		return nil
	}
	return []variable{literal("PGDATA", path.Join(c.Volumes[0].Target, "pgdata"))}
}

// backingProbes ask what Compose's healthcheck asks. Compose restarts nothing that is unhealthy, so there is no liveness.
func backingProbes(p *prod.Probe) (startup, readiness, liveness *probe) {
	if p == nil {
		return nil, nil, nil
	}
	ask := probe{Exec: &exec{Command: escapeAll(p.Command)}, Timeout: seconds(p.Timeout)}
	ready := ask
	ready.Period, ready.Failures = seconds(p.Interval), int64(max(p.Retries, 1))
	return nil, &ready, nil
}

var number = regexp.MustCompile(`^\d+(:\d+)?$`)

// backingUser is who a server runs as: the restricted profile has no root, and takes no name for a user. False: it is not
// known.
func backingUser(b prod.Backing) (int, bool) {
	if number.MatchString(b.Container.User) {
		word, _, _ := strings.Cut(b.Container.User, ":")
		user, err := strconv.Atoi(word)
		return user, err == nil && user > 0
	}
	switch {
	case b.Container.User != "" || b.Kind == prod.Other:
		return 0, false
	case b.Kind == prod.Postgres && strings.Contains(b.Image, "alpine"):
		return 70, true
	}
	return 999, true
}
