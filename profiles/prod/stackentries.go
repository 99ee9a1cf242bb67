package prod

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"devstack/stack"
)

// stackEntries account for every key of ecosystem.yaml's top level, in the order of stack's table.
func (d *deriver) stackEntries(m Model) []Entry {
	var out []Entry
	for _, key := range stack.TopKeys() {
		rule := stackRules[key]
		if rule == nil {
			rule = func(*deriver, Model) []finding { return unknownKey() }
		}
		for _, f := range rule(d, m) {
			name := key
			if f.part != "" {
				name += "." + f.part
			}
			out = append(out, Entry{Subject: StackSubject, Key: name, Verdict: f.verdict, How: f.how, Fix: f.fix, Asked: true})
		}
	}
	return out
}

// stackRules has one rule for each of stack.TopKeys.
var stackRules = map[string]func(d *deriver, m Model) []finding{
	"name": func(_ *deriver, m Model) []finding { return mapped("%s is in the names of everything", m.Name) },
	"compose": func(d *deriver, m Model) []finding {
		if d.st.Compose == nil {
			return nothing()
		}
		return mapped("it has %d backing services", len(m.Backing))
	},
	"services": func(*deriver, Model) []finding {
		return mapped("the report has the selected ones; nothing needs the others")
	},
	"env_file": func(*deriver, Model) []finding {
		return mapped("the export does not read it, as it belongs to one machine; what the files name and do not set is a secret, which you give in the target")
	},
	"required_env": func(d *deriver, _ Model) []finding {
		if len(d.st.RequiredEnv) == 0 {
			return nothing()
		}
		return mapped("every app has these secrets, which must exist in the target: %s", strings.Join(d.st.RequiredEnv, ", "))
	},
	"log_dir": func(*deriver, Model) []finding { return mapped("the target keeps the logs") },
	"build": func(d *deriver, m Model) []finding {
		if d.st.Build == nil {
			return nothing()
		}
		return []finding{
			{part: "command", verdict: IsMapped, how: "the build of the images runs it in " + m.Build.Context},
			{part: "if_missing", verdict: IsMapped, how: "images are always built anew"},
		}
	},
	"defaults": func(*deriver, Model) []finding { return mapped("they are part of every app") },
	"apps":     func(_ *deriver, m Model) []finding { return mapped("there are %d workloads", len(m.Workloads)) },
	"profiles": func(d *deriver, _ Model) []finding {
		return mapped("%s is part of the apps; the export ignores the others", d.st.Profile)
	},
}

// serviceEntries account for every field that the used part of compose.yaml has: of every service by name, then its
// networks and volumes.
func (d *deriver) serviceEntries(m Model) []Entry {
	var out []Entry
	if d.st.Compose == nil {
		return out
	}
	var document struct {
		Services map[string]map[string]json.RawMessage `json:"services"`
	}
	all := map[string]json.RawMessage{}
	data, err := d.st.Compose.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(data, &document)
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		d.refuse(StackSubject, "compose", "it cannot be read back: "+err.Error(), "")
		return out
	}
	for _, b := range m.Backing {
		fields := document.Services[b.Name]
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if string(fields[key]) == "null" {
				continue
			}
			f := ofManaged(b, key)
			if b.Container != nil {
				f = ofContainer(b, key)
			}
			out = append(out, Entry{Subject: ServiceSubject(b.Name), Key: key, Verdict: f.verdict, How: f.how, Fix: f.fix, Asked: true})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if key == "services" {
			continue
		}
		f := ofProject(key)
		out = append(out, Entry{Subject: "compose", Key: key, Verdict: f.verdict, How: f.how, Fix: f.fix, Asked: true})
	}
	return out
}

// ofProject accounts for a key of compose.yaml's top level.
func ofProject(key string) finding {
	switch key {
	case "name":
		return finding{verdict: IsMapped, how: "ecosystem.yaml's name, or this one, is in the names of everything"}
	case "networks":
		return finding{verdict: IsMapped, how: "the target's network reaches every workload by its name"}
	case "volumes":
		return finding{verdict: IsMapped, how: "the services that are containers have them; a managed service keeps its own data"}
	}
	return finding{verdict: IsDropped, how: "the export does not know this key", fix: "write it in the target's own files"}
}

// ofManaged accounts for a field of a service whose place an endpoint outside takes.
func ofManaged(b Backing, key string) finding {
	what := "a managed " + string(b.Kind)
	if b.Kind == Other {
		what = "a service of its own"
	}
	switch key {
	case "image":
		f := finding{verdict: IsMapped, how: what + " takes its place, in the version of " + b.Image}
		if b.Kind == Other {
			f.verdict, f.fix = IsApproximated, "provide it in production, or export it as a container"
		}
		return f
	case "ports", "expose":
		return finding{verdict: IsMapped, how: "its endpoint, at port " + strconv.Itoa(b.Port) + ", is in variables that are secrets"}
	case "healthcheck", "restart", "volumes", "networks", "container_name", "hostname", "stop_signal", "stop_grace_period", "labels",
		"init", "pull_policy", "platform", "logging", "depends_on", "attach", "profiles":
		return finding{verdict: IsMapped, how: "the provider decides"}
	case "environment", "env_file":
		return finding{verdict: IsApproximated, how: "you create its users, passwords and databases where it is managed", fix: "create them there, and give their URL as a secret"}
	case "command", "entrypoint":
		return finding{verdict: IsApproximated, how: "you make its settings where it is managed", fix: "set there what the command sets here"}
	case "mem_limit", "mem_reservation", "cpus", "cpu_shares", "deploy", "scale":
		return finding{verdict: IsApproximated, how: "you choose its size where it is managed", fix: "choose one of this size or larger"}
	}
	return finding{verdict: IsDropped, how: "a managed service has no such setting", fix: "see what it is for, and whether the provider does it"}
}

// ofContainer accounts for a field of a service that stays a container.
func ofContainer(b Backing, key string) finding {
	switch key {
	case "image", "command", "entrypoint", "user", "volumes", "stop_signal", "stop_grace_period", "mem_limit":
		return finding{verdict: IsMapped, how: "the container has it"}
	case "healthcheck":
		if b.Container.Probe == nil {
			return finding{verdict: IsMapped, how: "it has none"}
		}
		return finding{verdict: IsMapped, how: "it is the probe of the container"}
	case "environment", "env_file":
		if len(b.Container.Secrets) > 0 {
			return finding{verdict: IsMapped, how: strconv.Itoa(len(b.Container.Secrets)) + " of them are secrets, which you give in the target; the others stay as they are"}
		}
		return finding{verdict: IsMapped, how: "the container has it"}
	case "ports", "expose":
		return finding{verdict: IsApproximated, how: "others reach it by its name at port " + strconv.Itoa(b.Port) + "; nobody outside does"}
	case "restart":
		return finding{verdict: IsMapped, how: "the target always restarts it"}
	case "networks":
		return finding{verdict: IsMapped, how: "it is in the network of the target"}
	case "container_name", "hostname":
		return finding{verdict: IsApproximated, how: "it is called " + b.Name}
	case "depends_on":
		return finding{verdict: IsDropped, how: "nothing orders the starts", fix: "let what needs it try again"}
	case "deploy":
		return finding{verdict: IsApproximated, how: "the container has only the memory limit"}
	case "profiles", "attach", "pull_policy":
		return finding{verdict: IsMapped, how: "production does not need it"}
	}
	return finding{verdict: IsDropped, how: "the export does not know this field", fix: "write it in the target's own files"}
}
