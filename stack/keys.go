package stack

import (
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sys/unix"
)

// appKey is one key of an app: how it is read, and how its resolved value is shown.
type appKey struct {
	name string
	set  func(d *definition, n *yaml.Node)
	show func(a *App) any
}

// key is a key that is one field of an app.
func key[T any](name string, field func(a *App) *T, read func(*definition, *yaml.Node, string) T, show func(T) any) appKey {
	return appKey{
		name,
		func(d *definition, n *yaml.Node) { *field(&d.App) = read(d, n, name) },
		func(a *App) any { return show(*field(a)) },
	}
}

// asIs shows a value as it is, zeroIsNull what says nothing as null, and inUnits a duration as the file would.
func asIs[T any](v T) any { return v }

func zeroIsNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func inUnits(d time.Duration) any { return FormatDuration(d) }

// appKeys are all keys of an app, in the order of the documentation.
var appKeys = []appKey{
	key("namespace", func(a *App) *string { return &a.Namespace }, (*definition).text, asIs),
	key("script", func(a *App) *string { return &a.Script }, (*definition).text, asIs),
	key("command", func(a *App) *[]string { return &a.Command }, (*definition).argv, asIs),
	key("args", func(a *App) *[]string { return &a.Args }, (*definition).words, asIs),
	key("node_args", func(a *App) *[]string { return &a.NodeArgs }, (*definition).words, asIs),
	key("interpreter", func(a *App) *string { return &a.Interpreter }, (*definition).interpreter, asIs),
	key("cwd", func(a *App) *string { return &a.Cwd }, (*definition).text, asIs),
	{"env", func(d *definition, n *yaml.Node) { d.env = d.environment(n) }, nil},
	{"env_file", func(d *definition, n *yaml.Node) { d.envFiles, d.envFileNode = d.list(n, "env_file"), n }, nil},

	{"instances", func(d *definition, n *yaml.Node) { d.Instances = d.instances(n) }, func(a *App) any { return a.Count() }},
	key("exec_mode", func(a *App) *string { return &a.ExecMode }, (*definition).execMode, asIs),
	key("instance_var", func(a *App) *string { return &a.InstanceVar }, (*definition).variableName, asIs),
	key("increment_var", func(a *App) *string { return &a.IncrementVar }, (*definition).variableName, zeroIsNull),
	{"port", func(d *definition, n *yaml.Node) { d.Port = d.integer(n, "port", 1, 65535) }, func(a *App) any { return zeroIsNull(a.Port) }},
	key("hold_port", func(a *App) *string { return &a.HoldPort }, (*definition).holdPort, asIs),

	{"depends_on", func(d *definition, n *yaml.Node) { d.edges = d.dependsOn(n) }, func(a *App) any { return a.DependsOn }},
	{"healthcheck", func(d *definition, n *yaml.Node) { d.Healthcheck, d.healthcheckNode = d.healthcheck(n), n }, showHealthcheck},
	key("wait_ready", func(a *App) *bool { return &a.WaitReady }, (*definition).boolean, asIs),
	key("listen_timeout", func(a *App) *time.Duration { return &a.ListenTimeout }, (*definition).positive, inUnits),

	key("autostart", func(a *App) *bool { return &a.Autostart }, (*definition).boolean, asIs),
	key("autorestart", func(a *App) *bool { return &a.Autorestart }, (*definition).boolean, asIs),
	key("one_shot", func(a *App) *bool { return &a.OneShot }, (*definition).boolean, asIs),
	key("inputs", func(a *App) *[]string { return &a.Inputs }, (*definition).list, func(list []string) any { return notNil(list) }),
	{
		"max_restarts", func(d *definition, n *yaml.Node) { d.MaxRestarts = d.integer(n, "max_restarts", -1, math.MaxInt) },
		func(a *App) any { return a.MaxRestarts },
	},
	key("min_uptime", func(a *App) *time.Duration { return &a.MinUptime }, (*definition).duration, inUnits),
	{"restart_delay", func(d *definition, n *yaml.Node) {
		v := d.duration(n, "restart_delay")
		d.RestartDelay = &v
	}, func(a *App) any {
		if a.RestartDelay == nil {
			return nil
		}
		return FormatDuration(*a.RestartDelay)
	}},
	key("exp_backoff_restart_delay", func(a *App) *time.Duration { return &a.BackoffBase }, (*definition).positive, inUnits),
	key("stop_exit_codes", func(a *App) *[]int { return &a.StopExitCodes }, (*definition).exitCodes, asIs),
	key("cron_restart", func(a *App) *string { return &a.CronRestart }, (*definition).cronExpression, zeroIsNull),
	key("max_memory_restart", func(a *App) *int64 { return &a.MaxMemory }, (*definition).size, zeroIsNull),

	key("kill_signal", func(a *App) *string { return &a.KillSignal }, (*definition).signal, asIs),
	key("kill_timeout", func(a *App) *time.Duration { return &a.KillTimeout }, (*definition).duration, inUnits),
	key("shutdown_with_message", func(a *App) *bool { return &a.ShutdownWithMessage }, (*definition).boolean, asIs),

	{"watch", func(d *definition, n *yaml.Node) { d.watch(n) }, showWatch},
	key("ignore_watch", func(a *App) *[]string { return &a.Watch.Ignore }, (*definition).list, func(list []string) any { return notNil(list) }),
	{"watch_options", func(d *definition, n *yaml.Node) { d.watchOptions(n) }, showWatchOptions},
	key("watch_delay", func(a *App) *time.Duration { return &a.Watch.Delay }, (*definition).duration, inUnits),

	key("out_file", func(a *App) *string { return &a.OutFile }, (*definition).text, asIs),
	key("error_file", func(a *App) *string { return &a.ErrorFile }, (*definition).text, asIs),
	key("log_file", func(a *App) *string { return &a.LogFile }, (*definition).text, zeroIsNull),
	key("merge_logs", func(a *App) *bool { return &a.MergeLogs }, (*definition).boolean, asIs),
	key("log_date_format", func(a *App) *string { return &a.LogDateFormat }, (*definition).text, zeroIsNull),
	{"log_type", func(d *definition, n *yaml.Node) { d.LogType = d.oneOf(n, "log_type", "raw", "json") }, func(a *App) any { return a.LogType }},
	{"max_log_size", func(d *definition, n *yaml.Node) {
		if d.MaxLogSize = d.size(n, "max_log_size"); d.MaxLogSize < 1<<20 {
			d.at(n, "max_log_size must be at least 1M, not %s", describe(n))
		}
	}, func(a *App) any { return a.MaxLogSize }},
	{
		"max_log_files", func(d *definition, n *yaml.Node) { d.MaxLogFiles = d.integer(n, "max_log_files", 1, math.MaxInt) },
		func(a *App) any { return a.MaxLogFiles },
	},
}

// TopKeys are the keys of ecosystem.yaml's top level, in the order of the documentation.
func TopKeys() []string { return slices.Clone(topKeys) }

// AppKeys are the keys of an app, in the order of the documentation; name is the first.
func AppKeys() []string { return append([]string{"name"}, appKeyNames()...) }

// appKeyNames are the keys of an app that a layer may set; name is set by the app alone.
func appKeyNames() []string {
	names := make([]string, len(appKeys))
	for i, k := range appKeys {
		names[i] = k.name
	}
	return names
}

// defaults is an app with the built-in default of every key.
func defaults() App {
	return App{
		Namespace: "default", Instances: 1, InstanceVar: "NODE_APP_INSTANCE", HoldPort: "auto",
		ListenTimeout: 30 * time.Second,
		Autostart:     true, Autorestart: true,
		MaxRestarts: 10, MinUptime: 10 * time.Second, BackoffBase: 100 * time.Millisecond,
		KillSignal: "SIGTERM", KillTimeout: 10 * time.Second,
		Watch:   defaultWatch(),
		LogType: "raw", MaxLogSize: 10 << 20, MaxLogFiles: 10,
	}
}

// positive is a duration that is not 0.
func (p *problems) positive(n *yaml.Node, what string) time.Duration {
	before := len(p.found)
	d := p.duration(n, what)
	if d == 0 && len(p.found) == before {
		p.at(n, "%s must be longer than 0", what)
	}
	return d
}

func (d *definition) interpreter(n *yaml.Node, what string) string {
	v := d.text(n, what)
	if strings.HasPrefix(v, "node@") {
		d.at(n, "interpreter %q: devstack installs no Node versions", v).Hint = "write node, or the path of the node to use"
	}
	return v
}

func (d *definition) exitCodes(n *yaml.Node, what string) []int {
	if n.Kind != yaml.SequenceNode {
		return []int{d.integer(n, what, 0, 255)}
	}
	var out []int
	for _, child := range n.Content {
		out = append(out, d.integer(child, "an element of "+what, 0, 255))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// signal is a signal's name with SIG before it, whichever way it is written.
func (d *definition) signal(n *yaml.Node, what string) string {
	v := d.text(n, what)
	name := strings.ToUpper(v)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if v != "" && unix.SignalNum(name) == 0 {
		d.at(n, "kill_signal %q is not a signal", v).Hint = "write a signal such as SIGTERM, SIGINT or SIGQUIT"
	}
	return name
}

// FormatDuration writes a duration as the file would: 1h, 1m30s, 500ms.
func FormatDuration(d time.Duration) string {
	s := d.Round(time.Microsecond).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
