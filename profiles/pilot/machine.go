package pilot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"devstack/infra/native"
)

// noninteractive is the environment in which apt-get asks nothing.
var noninteractive = []string{"DEBIAN_FRONTEND=noninteractive"}

// engineLogs keeps the logs of containers that say nothing of their own within limits.
const engineLogs = `{
  "log-driver": "json-file",
  "log-opts": {"max-size": "10m", "max-file": "5"}
}
`

func systemd(f Facts) Step {
	s := Step{Name: "systemd", Found: "runs this machine"}
	if !f.Systemd {
		s.Found = "does not run this machine"
		s.Problem = &Problem{
			Message: "systemd does not run this machine, and devstack needs it to start at boot",
			Fix:     "run devstack resurrect --foreground under the supervisor that is there",
		}
	}
	return s
}

// packageLists is a step of its own where packages are missing that apt-get has not heard of yet.
func packageLists(w Wanted, f Facts) *Step {
	missing := packages(w, f)
	if !enough(f.Node, w.Node) {
		missing = append([]string{"nodejs"}, missing...)
	}
	if f.Lists || !f.Apt || len(missing) == 0 {
		return nil
	}
	return &Step{
		Name: "package lists", Found: "none", Do: "have apt-get fetch them, for " + strings.Join(missing, ", "), Again: true,
		Actions: []Action{run("apt-get", "update", "-qq")},
	}
}

func nodejs(w Wanted, f Facts) Step {
	s := Step{Name: "Node.js", Found: f.Node}
	offered := f.Packages["nodejs"]
	switch {
	case w.Node == 0:
		s.Found = "not used"
	case enough(f.Node, w.Node):
	case f.Node == "" && enough(offered, w.Node):
		s.Found, s.Do = "not found", "install the distribution's "+offered
		s.Actions = install("nodejs", "npm")
	default:
		found := "none is installed"
		if f.Node != "" {
			found = "this machine has " + f.Node
		} else if offered != "" {
			found = "the distribution has " + offered
		}
		s.Problem = &Problem{
			Message: fmt.Sprintf("the project needs Node.js %d or newer, and %s", w.Node, found),
			Fix:     "install it in a place that every user has, such as /usr/local/bin (https://nodejs.org/en/download), or use Debian 13",
		}
	}
	return s
}

// enough compares the major version, of Node.js' own or a package's words.
func enough(version string, major int) bool {
	if major == 0 {
		return true
	}
	digits, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(digits)
	return err == nil && n >= major
}

// services are the engine, or the servers of this machine.
func services(w Wanted, f Facts) Step {
	s := Step{Name: "services", Found: "not used"}
	switch w.Driver {
	case Docker:
		s.Found = "Docker Engine"
	case Native:
		s.Found = "servers of this machine"
		for _, image := range w.Images {
			if native.ServerOf(image) == "" {
				s.Problem = &Problem{
					Message: "only Docker runs " + image + ": native services are redis, valkey and postgres", Fix: "leave out --infra native", Engine: true,
				}
				return s
			}
		}
	}
	names := packages(w, f)
	if len(names) == 0 {
		return s
	}
	s.Found, s.Do = "not installed", "install "+strings.Join(names, ", ")
	for _, name := range names {
		if f.Packages[name] == "" {
			s.Problem = &Problem{
				Message: "apt-get has no package " + name, Engine: true,
				Fix: "install a Docker Engine (https://docs.docker.com/engine/install), or redis-server and postgresql, and run it again",
			}
			return s
		}
	}
	if _, ok := f.Files[daemonJSON]; w.Driver == Docker && !ok {
		s.Do += ", with limits for the containers' logs"
		s.Actions = append(s.Actions, Action{Write: &File{Path: daemonJSON, Mode: 0o644, Text: engineLogs}})
	}
	s.Actions = append(s.Actions, install(names...)...)
	if w.Driver == Docker {
		s.Actions = append(s.Actions, run("systemctl", "enable", "--now", "docker.service"))
	} else {
		// Debian starts servers of its own, which nobody asked for.
		s.Do += "; the servers that the packages start are stopped"
		for _, name := range names {
			unit := map[string]string{"redis-server": "redis-server.service", "valkey-server": "valkey-server.service", "postgresql": "postgresql.service"}[name]
			s.Actions = append(s.Actions, run("systemctl", "disable", "--now", unit))
		}
	}
	return s
}

// packages are the missing ones of the services.
func packages(w Wanted, f Facts) []string {
	var names []string
	switch {
	case w.Driver == Docker && !f.Engine:
		names = []string{"docker.io", "iptables", "ca-certificates"}
		if f.Packages["docker-cli"] != "" { // a package of its own from Debian 13 on
			names = append(names, "docker-cli")
		}
	case w.Driver == Native:
		used := func(servers ...string) bool {
			return slices.ContainsFunc(w.Images, func(image string) bool { return slices.Contains(servers, native.ServerOf(image)) })
		}
		if used("redis", "valkey") && !f.Redis {
			name := "redis-server"
			if f.Packages[name] == "" && f.Packages["valkey-server"] != "" {
				name = "valkey-server"
			}
			names = append(names, name)
		}
		if used("postgres") && !f.Postgres {
			names = append(names, "postgresql")
		}
	}
	return names
}

func install(names ...string) []Action {
	argv := append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, names...)
	return []Action{{Run: []string{"apt-get", "update", "-qq"}}, {Run: argv, Env: noninteractive}}
}

func logLimits(w Wanted, f Facts) Step {
	s := Step{Name: "log limits", Found: journald}
	if _, ok := f.Files[journald]; !ok {
		limit := journalLimit()
		s.Found, s.Do = "none for the journal", "keep the journal below 1 GB"
		s.Actions = []Action{
			{Write: &limit},
			run("systemctl", "restart", "systemd-journald.service"),
		}
	}
	if _, ok := f.Files[daemonJSON]; w.Driver == Docker && f.Engine && !ok {
		s.Found += "; the engine's own logs have no limit: log-opts in " + daemonJSON + ", or logging in compose.yaml"
	}
	return s
}

func journalLimit() File {
	return File{Path: journald, Mode: 0o644, Text: "[Journal]\nSystemMaxUse=1G\n"}
}
