package ecs_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/profiles/prod/ecs"
)

// decoded is what the documents of an app say, in the model's words. What they do not say is the model's, and must be
// known to the report.
func decoded(t *testing.T, files []prod.File, w prod.Workload) prod.Workload {
	t.Helper()
	d := file[ecs.TaskDefinition](t, files, w.Name+"/"+ecs.TaskDefinitionFile)
	c := d.ContainerDefinitions[0]
	out := prod.Workload{
		Name: c.Name, Command: slices.Concat(c.EntryPoint, c.Command), WorkDir: c.WorkingDirectory,
		Config: []prod.Variable{}, Secrets: []prod.Secret{}, Ports: []prod.Port{},
		Stop:      prod.Stop{Grace: time.Duration(c.StopTimeout) * time.Second},
		Memory:    prod.Memory{Limit: int64(c.Memory) << 20, Reservation: int64(c.Memory) << 20},
		CPUMillis: c.CPU * 1000 / 1024, Restart: prod.Never,
		Image: prod.Image{Variable: strings.Trim(c.Image, "${}")},
	}
	if _, err := fmt.Sscanf(c.User, "%d:%d", &out.User, new(int)); err != nil {
		t.Error(err)
	}
	for _, v := range c.Environment {
		out.Config = append(out.Config, prod.Variable(v))
	}
	for _, s := range c.Secrets {
		out.Secrets = append(out.Secrets, prod.Secret{Name: s.Name})
	}
	for _, p := range c.PortMappings {
		out.Ports = append(out.Ports, prod.Port{Name: strings.TrimPrefix(p.Name, c.Name+"-"), Number: p.ContainerPort, Protocol: p.Protocol})
	}
	if c.RestartPolicy != nil {
		out.Restart = prod.Always
	}
	if h := c.HealthCheck; h != nil {
		out.Probe = &prod.Probe{
			Kind: prod.Exec, Command: h.Command[1:], Interval: time.Duration(h.Interval) * time.Second,
			Timeout: time.Duration(h.Timeout) * time.Second, Retries: h.Retries, StartPeriod: time.Duration(h.StartPeriod) * time.Second,
		}
	}
	dir := w.Name + "/"
	has := func(name string) bool {
		return slices.ContainsFunc(files, func(f prod.File) bool { return f.Path == dir+name })
	}
	switch {
	case has(ecs.ServiceFile):
		s := file[ecs.Service](t, files, dir+ecs.ServiceFile)
		out.Kind, out.Replicas = prod.Service, s.DesiredCount
		out.Singleton = s.DeploymentConfiguration.MaximumPercent == 100
	case has(ecs.RunTaskFile):
		out.Kind, out.Replicas = prod.Job, file[ecs.RunTask](t, files, dir+ecs.RunTaskFile).Count
	default:
		s := file[ecs.Schedule](t, files, dir+ecs.ScheduleFile)
		out.Kind, out.Schedule.Zone = prod.Cron, s.ScheduleExpressionTimezone
		if s.State == "ENABLED" {
			out.Replicas = 1
		}
	}
	return out
}

// told is a workload without what ECS's documents do not say by design: the report has an entry for each of these.
func told(w prod.Workload, has func(key string) bool) prod.Workload {
	argv := w.ProbeArgv()
	w.App, w.Runtime, w.Edges, w.Logs = "", "", nil, prod.Logs{}
	w.Image = prod.Image{Variable: w.Image.Variable}
	w.Stop.Signal, w.Memory.HeapMiB, w.Schedule.Expression = "", 0, ""
	if w.Kind == prod.Cron && w.Schedule.Zone == "" {
		w.Schedule.Zone = "UTC"
	}
	w.Secrets = slices.Clone(w.Secrets)
	for i := range w.Secrets {
		w.Secrets[i].Reason = ""
	}
	if w.Restart == prod.OnFailure && has("stop_exit_codes") {
		w.Restart = prod.Always
	}
	if has("kill_timeout") {
		w.Stop.Grace = 2 * time.Second
	}
	switch {
	case w.Probe == nil:
	case argv == nil && has("healthcheck"):
		w.Probe = nil
	default:
		p := prod.Probe{Kind: prod.Exec, Command: argv, Interval: w.Probe.Interval, Timeout: w.Probe.Timeout, Retries: w.Probe.Retries, StartPeriod: w.Probe.StartPeriod}
		for key, change := range map[string]func(){
			"healthcheck.interval": func() { p.Interval = 5 * time.Second }, "healthcheck.timeout": func() { p.Timeout = 2 * time.Second },
			"healthcheck.retries": func() { p.Retries = 10 }, "healthcheck.start_period": func() { p.StartPeriod = 300 * time.Second },
		} {
			if has(key) {
				change()
			}
		}
		w.Probe = &p
	}
	return w
}

func TestTheDocumentsSayTheModel(t *testing.T) {
	for _, path := range []string{sample, kinds} {
		m, r := derived(t, path)
		files, entries := rendered(t, m, ecs.Options{})
		report := r.With(entries...).For(ecs.Target)
		for _, w := range m.Workloads {
			has := func(key string) bool {
				return slices.ContainsFunc(report.Entries, func(e prod.Entry) bool {
					return e.Subject == prod.AppSubject(w.App) && e.Key == key && e.Target == ecs.Target && e.Verdict != prod.IsMapped
				})
			}
			if diff := cmp.Diff(told(w, has), decoded(t, files, w)); diff != "" {
				t.Errorf("%s: -model +documents, and no entry says so:\n%s", w.Name, diff)
			}
		}
	}
}

// Each entry of this target is of a key that the report knows, or of a part of one.
func TestEntriesAreOfKnownKeys(t *testing.T) {
	m, r := derived(t, kinds)
	_, entries := rendered(t, m, ecs.Options{GroupWorkers: true})
	for _, e := range entries {
		known := slices.ContainsFunc(r.Entries, func(x prod.Entry) bool {
			return x.Subject == e.Subject && (x.Key == e.Key || strings.HasPrefix(e.Key, x.Key+"."))
		})
		if !known || e.Target != ecs.Target || e.How == "" {
			t.Errorf("%+v", e)
		}
	}
}

// What required.json lists is what the documents name, no more and no less.
func TestRequiredIsComplete(t *testing.T) {
	m, _ := derived(t, kinds)
	files, _ := rendered(t, m, ecs.Options{})
	q := file[ecs.Required](t, files, ecs.RequiredFile)
	var secrets, roles, groups []string
	text := ""
	for _, w := range m.Workloads {
		d := file[ecs.TaskDefinition](t, files, w.Name+"/"+ecs.TaskDefinitionFile)
		roles = append(roles, d.ExecutionRoleArn, d.TaskRoleArn)
		for _, c := range d.ContainerDefinitions {
			groups = append(groups, c.LogConfiguration.Options["awslogs-group"])
			for _, s := range c.Secrets {
				secrets = append(secrets, s.ValueFrom)
			}
		}
		if w.Kind == prod.Cron {
			roles = append(roles, file[ecs.Schedule](t, files, w.Name+"/"+ecs.ScheduleFile).Target.RoleArn)
		}
	}
	for _, f := range files {
		if strings.Contains(f.Path, "/") {
			text += string(f.Data)
			if !slices.Contains(q.Order, f.Path) {
				t.Errorf("%s is not in the order", f.Path)
			}
		}
	}
	var listedSecrets, listedRoles []string
	for _, s := range q.Secrets {
		listedSecrets = append(listedSecrets, s.Name)
	}
	for _, r := range q.Roles {
		listedRoles = append(listedRoles, r.Arn)
	}
	for what, pair := range map[string][2][]string{"secrets": {secrets, listedSecrets}, "roles": {roles, listedRoles}, "log groups": {groups, q.LogGroups}} {
		if diff := cmp.Diff(unique(pair[0]), unique(pair[1])); diff != "" {
			t.Errorf("%s: -named +listed:\n%s", what, diff)
		}
	}
	for _, p := range q.Parameters {
		if !strings.Contains(text, "${"+p.Name+"}") {
			t.Errorf("no document has a place for %s", p.Name)
		}
		text = strings.ReplaceAll(text, "${"+p.Name+"}", "")
	}
	if strings.Contains(text, "${") {
		t.Error("a placeholder is not listed")
	}
}

func unique(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// Values of every kind reach the document unchanged.
func TestHostileValues(t *testing.T) {
	m := one()
	for i, value := range []string{
		"", " ", "$HOME ${HOME} $$ $(X) $((1))", "%s %% %h", `"'\`, "a\nb\r\nc\t", "yes", "no", "null", "1e3", "0o7", "~", "🦀 \u2028\u2029 \ufeff",
		"<script>&amp;</script>", "\x01\x1f\x7f", strings.Repeat("é\\\"", 8<<10), "${AWS_REGION}",
	} {
		m.Workloads[0].Config = append(m.Workloads[0].Config, prod.Variable{Name: "V" + strconv.Itoa(i), Value: value})
	}
	files, entries := rendered(t, m, ecs.Options{})
	got := []prod.Variable{}
	for _, v := range file[ecs.TaskDefinition](t, files, "web/task-definition.json").ContainerDefinitions[0].Environment {
		got = append(got, prod.Variable(v))
	}
	if diff := cmp.Diff(m.Workloads[0].Config, got); diff != "" {
		t.Error(diff)
	}
	if e := entries[0]; e.Key != "env.V16" || e.Verdict != prod.IsApproximated {
		t.Errorf("a value that holds a placeholder: %+v", e)
	}
	_, entries = rendered(t, m, ecs.Options{Parameters: map[string]string{"AWS_REGION": "eu-central-1"}})
	if entries[0].Key == "env.V16" {
		t.Errorf("a value that holds a placeholder no more: %+v", entries[0])
	}
}
