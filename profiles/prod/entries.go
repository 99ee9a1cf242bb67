package prod

import (
	"fmt"
	"strconv"
	"strings"

	"devstack/stack"
)

// finding is what became of a key, or of a part of it.
type finding struct {
	part    string // of the key: interval in healthcheck.interval; empty: the key itself
	verdict Verdict
	how     string
	fix     string
	asked   bool // a file says it whatever the key's origin
}

func mapped(how string, args ...any) []finding {
	return []finding{{verdict: IsMapped, how: fmt.Sprintf(how, args...)}}
}

func approximated(fix, how string, args ...any) []finding {
	return []finding{{verdict: IsApproximated, how: fmt.Sprintf(how, args...), fix: fix}}
}

func dropped(fix, why string, args ...any) []finding {
	return []finding{{verdict: IsDropped, how: fmt.Sprintf(why, args...), fix: fix}}
}

// nothing is a key at a value that asks for nothing.
func nothing() []finding { return mapped("it asks for nothing") }

// unknownKey accounts for a key that has no rule: never silence. A test keeps it from being needed.
func unknownKey() []finding {
	return dropped("write it in the target's own files", "the export does not know this key")
}

// entries account for every key of an app, in the order of stack's table.
func (a *account) entries() []Entry {
	var out []Entry
	for _, key := range stack.AppKeys() {
		rule := appRules[key]
		if rule == nil {
			rule = func(*account) []finding { return unknownKey() }
		}
		origin := a.origins[a.app.Name][key]
		asked := key == "name" || origin != "" && origin != "default"
		for _, f := range rule(a) {
			name := key
			if f.part != "" {
				name += "." + f.part
			}
			out = append(out, Entry{Subject: AppSubject(a.app.Name), Key: name, Verdict: f.verdict, How: f.how, Fix: f.fix, Asked: asked || f.asked})
		}
	}
	return out
}

func words(list []string) []finding {
	if len(list) == 0 {
		return nothing()
	}
	return mapped("it is part of the command")
}

// takeBack is what to do about a key that production has no use for.
func takeBack(key string) string { return "write " + key + ": null in the prod profile" }

func pause(key string, asked bool) []finding {
	if !asked {
		return nothing()
	}
	return dropped(takeBack(key), "the target chooses the pause before a restart, which grows")
}

func ofWatch(on bool, parts ...string) []finding {
	f := mapped("it does nothing without watch")
	if on {
		f = dropped("write watch: false in the prod profile", "nothing is watched")
	}
	if len(parts) == 0 {
		return f
	}
	var out []finding
	for _, part := range parts {
		one := f[0]
		one.part = part
		out = append(out, one)
	}
	return out
}

func logFile(path string) []finding {
	switch path {
	case "":
		return nothing()
	case "/dev/null":
		return approximated("let the app write less", "the target's log keeps what it throws away")
	}
	return mapped("the target keeps stdout and stderr")
}

func (a *account) ofCommand() []finding {
	switch {
	case len(a.app.Command) == 0:
		return nothing()
	case runsShell(a.w.Command):
		return approximated("write a list, or begin the line with exec", "a shell runs it: the image needs one, and it decides which signals reach the app")
	case len(a.app.Command) != len(a.w.Command) && len(a.w.Command) > 0:
		return mapped("the container runs its words without a shell, so that signals reach the program")
	}
	return mapped("the container runs it")
}

func (a *account) ofInterpreter() []finding {
	switch {
	case a.app.Interpreter == "" || a.app.Interpreter == "none":
		return nothing()
	case strings.HasPrefix(a.app.Interpreter, "/") && a.w.Runtime != "":
		return approximated("", "the %s of the image runs it", a.w.Runtime)
	}
	return mapped("%s", a.w.Command[0])
}

// ofEnv accounts for every variable that the files name, by its name alone.
func (a *account) ofEnv() []finding {
	var out []finding
	for _, v := range a.vars {
		f := finding{part: v.name, verdict: IsMapped, how: "it is plain configuration", asked: true}
		switch {
		case strings.HasPrefix(v.origin, "env_file "), v.origin == "port":
			continue
		case v.partly:
			f.verdict, f.how = IsApproximated, "you give its value in the target: "+string(v.secret)
			f.fix = "give a default, ${NAME:-...}, or the value in the prod profile"
		case v.secret != "":
			f.how = "it is a secret, which you give in the target: " + string(v.secret)
		case v.local:
			f.verdict, f.how = IsApproximated, "it goes along, but it names this machine, and production is another one"
			f.fix = "write the address that production has into the prod profile"
		case v.name == "NODE_ENV" && !a.inProduction():
			f.fix = "write NODE_ENV: production into the prod profile's defaults"
		}
		out = append(out, f)
	}
	if a.w.HasNode() && !a.names("NODE_ENV") {
		out = append(out, finding{part: "NODE_ENV", verdict: IsMapped, how: "it is production: the files say nothing"})
	}
	if len(out) == 0 {
		return nothing()
	}
	return out
}

func (a *account) inProduction() bool {
	value, _ := a.variable("NODE_ENV")
	return value == "production"
}

func (a *account) names(variable string) bool {
	for _, v := range a.vars {
		if v.name == variable {
			return true
		}
	}
	return false
}

func (a *account) ofEnvFile() []finding {
	plain, secret, local := 0, 0, 0
	for _, v := range a.vars {
		switch {
		case !strings.HasPrefix(v.origin, "env_file "):
		case v.secret != "":
			secret++
		default:
			plain++
			if v.local {
				local++
			}
		}
	}
	if plain+secret == 0 {
		return nothing()
	}
	out := mapped("it has %d variables of the configuration and %d secrets, which you give in the target", plain, secret)
	if local > 0 {
		out = approximated("write the addresses that production has into the prod profile", "it goes along, but %d values name this machine, and production is another one", local)
	}
	out[0].asked = true
	return out
}

func (a *account) ofDependsOn() []finding {
	if len(a.app.DependsOn) == 0 {
		return nothing()
	}
	var out []finding
	for i, dependency := range a.app.DependsOn {
		f := finding{part: dependency.Name, verdict: IsApproximated, how: "nothing orders the starts: the app tries until it can connect, and the target restarts it meanwhile", fix: "let the app retry its connections"}
		if a.w.Edges[i].Wait == JobFirst {
			f.how, f.fix = "run the job to its end before the rollout", ""
		}
		out = append(out, f)
	}
	return out
}

func (a *account) ofHealthcheck() []finding {
	h, p := a.app.Healthcheck, a.w.Probe
	switch {
	case h == nil && p == nil:
		return nothing()
	case h == nil:
		return approximated("", "the probe connects to port %s: the file has no healthcheck", strconv.Itoa(p.Port))
	}
	kind := finding{verdict: IsMapped, how: "the probe does it"}
	switch {
	case h.HTTP != "":
		kind.part = "http"
	case h.TCP != "":
		kind.part = "tcp"
	case h.LogLine != "":
		kind.part = "log_line"
	default:
		kind.part = "exec"
	}
	if p == nil {
		kind.verdict, kind.how, kind.fix = IsDropped, "it asks another host, whose failure would restart this workload", "ask this app itself"
		switch {
		case a.w.Kind != Service:
			kind.how, kind.fix = "nothing probes what runs to its end", takeBack("healthcheck")
		case h.LogLine != "":
			kind.how, kind.fix = "no target reads logs to find out whether an app works", "write http, tcp or exec"
		}
		return []finding{kind}
	}
	return []finding{
		kind,
		{part: "interval", verdict: IsMapped, how: p.Interval.String()},
		{part: "timeout", verdict: IsMapped, how: p.Timeout.String()},
		{part: "retries", verdict: IsMapped, how: strconv.Itoa(p.Retries) + " failures in a row restart it"},
		{part: "start_period", verdict: IsMapped, how: p.StartPeriod.String() + " may pass until the first success"},
	}
}

func (a *account) ofCron() []finding {
	switch {
	case a.app.CronRestart == "":
		return nothing()
	case a.w.Kind == Service:
		return dropped("let the app do it by itself, or write an app with one_shot: true for it", "targets do not restart services by the clock")
	case a.w.Schedule.Zone == "":
		return approximated("write CRON_TZ=Zone before the expression", "it runs at %s in UTC, not in this machine's time", a.w.Schedule.Expression)
	}
	return mapped("it runs at %s in %s", a.w.Schedule.Expression, a.w.Schedule.Zone)
}

func (a *account) ofMemory() []finding {
	limit := a.w.Memory.Limit >> 20
	heap := ""
	if a.w.Memory.HeapMiB > 0 {
		heap = fmt.Sprintf(", of which Node's heap has %d", a.w.Memory.HeapMiB)
	}
	if a.app.MaxMemory == 0 {
		return approximated("write max_memory_restart", "it gets a limit of %d MiB%s: production has no workload without one", limit, heap)
	}
	return mapped("it has a limit of %d MiB%s", limit, heap)
}
