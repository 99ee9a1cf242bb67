package kubernetes

import (
	"regexp"
	"strconv"
	"strings"

	"devstack/profiles/prod"
)

// largestMap is what a ConfigMap holds, in bytes.
const largestMap = 1 << 20

var (
	// validName is what names a variable, a ConfigMap's key and a Secret's key alike.
	validName = regexp.MustCompile(`^[A-Za-z_][-._A-Za-z0-9]*$`)
	// lost is what does not come through kustomize, whose YAML writer takes some characters for line breaks and others for
	// errors, and loses the indentation of a first line that follows empty ones.
	lost = regexp.MustCompile(`[\x{7f}-\x{9f}\x{2028}\x{2029}\x{fffe}\x{ffff}]|^\n+ `)
)

// check refuses what Kubernetes cannot express.
func (r *report) check(w prod.Workload) {
	refuse := func(key, message, hint string) { r.Refuse(w, key, message, hint) }
	checkVariables(refuse, "env.", w.Config, w.Secrets)
	checkWords(refuse, "command", w.Command)
	if w.Probe != nil {
		checkWords(refuse, "healthcheck", append(w.Probe.Command, w.Probe.Path))
	}
	if w.Schedule.Zone == "Local" {
		refuse("cron_restart", "a cluster has no local time", "write CRON_TZ= with the name of a place: Europe/Berlin")
	}
	if most, asked := r.o.Autoscale[w.App]; asked {
		switch {
		case w.Kind != prod.Service || w.Singleton || w.Replicas == 0:
			refuse("instances", "it cannot be scaled: "+whyNot(w), "leave it out of the autoscaling")
		case most < w.Replicas:
			refuse("instances", "at most "+strconv.Itoa(most)+" replicas are fewer than its "+strconv.Itoa(w.Replicas)+" instances", "give a larger number")
		}
	}
}

func whyNot(w prod.Workload) string {
	switch {
	case w.Kind != prod.Service:
		return "it runs to its end"
	case w.Singleton:
		return "two must never run at the same time"
	}
	return "autostart: false"
}

// checkBacking refuses what Kubernetes cannot express of a backing service that is a container.
func (r *report) checkBacking(b prod.Backing) {
	refuse := func(key, message, hint string) { r.RefuseService(b, key, message, hint) }
	checkVariables(refuse, "environment.", b.Container.Config, b.Container.Secrets)
	checkWords(refuse, "command", append(b.Container.Entrypoint, b.Container.Command...))
	if b.Container.Probe != nil {
		checkWords(refuse, "healthcheck", b.Container.Probe.Command)
	}
	if _, ok := backingUser(b); !ok {
		refuse("user", "the restricted profile needs a number that is not 0", `write user: "10001", with an image that can run as it`)
	}
}

func checkVariables(refuse func(key, message, hint string), prefix string, config []prod.Variable, secrets []prod.Secret) {
	size := 0
	name := func(name string) {
		if !validName.MatchString(name) {
			refuse(prefix+name, "Kubernetes has no such name", "use letters, digits, _, - and .")
		}
	}
	for _, v := range config {
		size += len(v.Name) + len(v.Value)
		name(v.Name)
		if lost.MatchString(v.Value) {
			refuse(prefix+v.Name, "kustomize does not keep the value: it begins with empty lines before an indented one, or has control characters from U+007F on or line separators",
				"give it no value here, and the value in the Secret")
		}
	}
	for _, s := range secrets {
		name(s.Name)
	}
	if size > largestMap {
		refuse(strings.TrimSuffix(prefix, "."), "its values are larger than 1 MiB, which is all that a ConfigMap holds", "put them into a file of the image")
	}
}

func checkWords(refuse func(key, message, hint string), key string, words []string) {
	for _, word := range words {
		if lost.MatchString(word) {
			refuse(key, "kustomize does not keep a word with control characters from U+007F on, line separators, or empty lines before an indented one", "put it into a script")
			return
		}
	}
}
