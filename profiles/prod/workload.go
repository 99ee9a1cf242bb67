package prod

import (
	"strings"

	"devstack/stack"
)

// account is one app on its way into the model: the app, its workload, and the variables' fates for the report.
type account struct {
	*deriver
	app  *stack.App
	w    Workload
	vars []fate
}

// workload fills in w.
func (a *account) workload(model string) {
	app, name := a.app, dnsName(a.app.Name)
	a.w = Workload{
		Name: name, App: app.Name, Kind: kindOf(app), User: DefaultUser, CPUMillis: DefaultCPUMillis,
		Image: Image{
			Repository: model + "/" + name, Reference: a.o.Images[app.Name],
			Variable: strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_IMAGE",
		},
		Ports: []Port{}, Edges: []Edge{},
		Stop:     Stop{Signal: app.KillSignal, Grace: app.KillTimeout},
		Replicas: app.Count(),
		Restart:  restartOf(app),
		Logs:     Logs{MaxSize: app.MaxLogSize, MaxFiles: app.MaxLogFiles},
	}
	a.command()
	a.probe()
	if app.Port != 0 {
		port := Port{Name: "tcp", Number: app.Port, Protocol: "tcp"}
		if p := a.w.Probe; p != nil && p.Kind == HTTP && p.Port == app.Port && p.Scheme == "http" {
			port.Name = "http"
		}
		a.w.Ports = []Port{port}
	}
	if app.PerCPU {
		a.refuse(AppSubject(app.Name), "instances", "max and -n count the processors of the machine that exports", "write a number: profiles: {prod: {apps: {"+app.Name+": {instances: 2}}}}")
	}
	for _, name := range app.Unset {
		a.refuse(AppSubject(app.Name), "${"+name+"}", "a key other than env uses it, and it has no value and no default", "write ${"+name+":-default}, or give the export a value for it")
	}
	if a.w.Kind != Service {
		a.w.Replicas = 1
	}
	if !app.Autostart {
		a.w.Replicas = 0
	}
	a.w.Singleton = a.w.Kind == Service && app.Count() == 1 && (app.Port == 0 || !app.HoldsSockets())
	if a.w.Kind == Cron {
		a.schedule()
	}
	for _, dependency := range app.DependsOn {
		a.w.Edges = append(a.w.Edges, Edge{Name: dependency.Name, Backing: dependency.Service, Condition: dependency.Condition})
	}
	a.variables()
	a.memory()
}

// kindOf: what ends by design is a job, and with a time table a cron job. What is merely not restarted is a job, too,
// unless it listens.
func kindOf(a *stack.App) Kind {
	ends := a.OneShot || !a.Autorestart && a.Port == 0
	switch {
	case ends && a.CronRestart != "":
		return Cron
	case ends:
		return Job
	}
	return Service
}

func restartOf(a *stack.App) Restart {
	switch {
	case !a.Autorestart || a.OneShot:
		return Never
	case len(a.StopExitCodes) > 0 && a.StopExitCodes[0] == 0:
		return OnFailure
	}
	return Always
}

// descriptors are cron's words for time tables.
var descriptors = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// schedule is cron_restart in the five fields of crontab.
func (a *account) schedule() {
	expression := a.app.CronRestart
	if rest, ok := cutZone(expression); ok {
		zone, fields, _ := strings.Cut(rest, " ")
		a.w.Schedule.Zone, expression = zone, strings.TrimSpace(fields)
	}
	if five, ok := descriptors[expression]; ok {
		expression = five
	}
	fields := strings.Fields(expression)
	if len(fields) == 6 && fields[0] == "0" {
		fields = fields[1:]
	}
	if len(fields) != 5 {
		a.refuse(AppSubject(a.app.Name), "cron_restart", "no production scheduler has seconds or @every", "write the five fields of crontab")
	}
	a.w.Schedule.Expression = strings.Join(fields, " ")
}

func cutZone(expression string) (string, bool) {
	if rest, ok := strings.CutPrefix(expression, "CRON_TZ="); ok {
		return rest, true
	}
	return strings.CutPrefix(expression, "TZ=")
}
