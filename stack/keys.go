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

// appKeys are all keys of an app, in the order of the documentation.
var appKeys = []appKey{
	{
		"namespace", func(d *definition, n *yaml.Node) { d.Namespace = d.text(n, "namespace") },
		func(a *App) any { return a.Namespace },
	},
	{"script", func(d *definition, n *yaml.Node) { d.Script = d.text(n, "script") }, func(a *App) any { return a.Script }},
	{"command", func(d *definition, n *yaml.Node) { d.Command = d.argv(n, "command") }, func(a *App) any { return a.Command }},
	{"args", func(d *definition, n *yaml.Node) { d.Args = d.words(n, "args") }, func(a *App) any { return a.Args }},
	{"node_args", func(d *definition, n *yaml.Node) { d.NodeArgs = d.words(n, "node_args") }, func(a *App) any { return a.NodeArgs }},
	{"interpreter", func(d *definition, n *yaml.Node) { d.Interpreter = d.interpreter(n) }, func(a *App) any { return a.Interpreter }},
	{"cwd", func(d *definition, n *yaml.Node) { d.Cwd = d.text(n, "cwd") }, func(a *App) any { return a.Cwd }},
	{"env", func(d *definition, n *yaml.Node) { d.env = d.environment(n) }, nil},
	{"env_file", func(d *definition, n *yaml.Node) { d.envFiles, d.envFileNode = d.list(n, "env_file"), n }, nil},

	{"instances", func(d *definition, n *yaml.Node) { d.Instances = d.instances(n) }, func(a *App) any { return a.Count() }},
	{"exec_mode", func(d *definition, n *yaml.Node) { d.ExecMode = d.execMode(n) }, func(a *App) any { return a.ExecMode }},
	{
		"instance_var", func(d *definition, n *yaml.Node) { d.InstanceVar = d.variableName(n, "instance_var") },
		func(a *App) any { return a.InstanceVar },
	},
	{
		"increment_var", func(d *definition, n *yaml.Node) { d.IncrementVar = d.variableName(n, "increment_var") },
		func(a *App) any { return zeroIsNull(a.IncrementVar) },
	},
	{"port", func(d *definition, n *yaml.Node) { d.Port = d.integer(n, "port", 1, 65535) }, func(a *App) any { return zeroIsNull(a.Port) }},
	{"hold_port", func(d *definition, n *yaml.Node) { d.HoldPort = d.holdPort(n) }, func(a *App) any { return a.HoldPort }},

	{"depends_on", func(d *definition, n *yaml.Node) { d.edges = d.dependsOn(n) }, func(a *App) any { return a.DependsOn }},
	{"healthcheck", func(d *definition, n *yaml.Node) { d.Healthcheck, d.healthcheckNode = d.healthcheck(n), n }, showHealthcheck},
	{"wait_ready", func(d *definition, n *yaml.Node) { d.WaitReady = d.boolean(n, "wait_ready") }, func(a *App) any { return a.WaitReady }},
	{
		"listen_timeout", func(d *definition, n *yaml.Node) { d.ListenTimeout = d.positive(n, "listen_timeout") },
		func(a *App) any { return FormatDuration(a.ListenTimeout) },
	},

	{"autostart", func(d *definition, n *yaml.Node) { d.Autostart = d.boolean(n, "autostart") }, func(a *App) any { return a.Autostart }},
	{"autorestart", func(d *definition, n *yaml.Node) { d.Autorestart = d.boolean(n, "autorestart") }, func(a *App) any { return a.Autorestart }},
	{"one_shot", func(d *definition, n *yaml.Node) { d.OneShot = d.boolean(n, "one_shot") }, func(a *App) any { return a.OneShot }},
	{
		"max_restarts", func(d *definition, n *yaml.Node) { d.MaxRestarts = d.integer(n, "max_restarts", -1, math.MaxInt) },
		func(a *App) any { return a.MaxRestarts },
	},
	{
		"min_uptime", func(d *definition, n *yaml.Node) { d.MinUptime = d.duration(n, "min_uptime") },
		func(a *App) any { return FormatDuration(a.MinUptime) },
	},
	{"restart_delay", func(d *definition, n *yaml.Node) {
		v := d.duration(n, "restart_delay")
		d.RestartDelay = &v
	}, func(a *App) any {
		if a.RestartDelay == nil {
			return nil
		}
		return FormatDuration(*a.RestartDelay)
	}},
	{
		"exp_backoff_restart_delay", func(d *definition, n *yaml.Node) { d.BackoffBase = d.positive(n, "exp_backoff_restart_delay") },
		func(a *App) any { return FormatDuration(a.BackoffBase) },
	},
	{"stop_exit_codes", func(d *definition, n *yaml.Node) { d.StopExitCodes = d.exitCodes(n) }, func(a *App) any { return a.StopExitCodes }},
	{
		"cron_restart", func(d *definition, n *yaml.Node) { d.CronRestart = d.cronExpression(n) },
		func(a *App) any { return zeroIsNull(a.CronRestart) },
	},
	{
		"max_memory_restart", func(d *definition, n *yaml.Node) { d.MaxMemory = d.size(n, "max_memory_restart") },
		func(a *App) any { return zeroIsNull(a.MaxMemory) },
	},

	{"kill_signal", func(d *definition, n *yaml.Node) { d.KillSignal = d.signal(n) }, func(a *App) any { return a.KillSignal }},
	{
		"kill_timeout", func(d *definition, n *yaml.Node) { d.KillTimeout = d.duration(n, "kill_timeout") },
		func(a *App) any { return FormatDuration(a.KillTimeout) },
	},
	{
		"shutdown_with_message", func(d *definition, n *yaml.Node) { d.ShutdownWithMessage = d.boolean(n, "shutdown_with_message") },
		func(a *App) any { return a.ShutdownWithMessage },
	},

	{"watch", func(d *definition, n *yaml.Node) { d.watch(n) }, showWatch},
	{
		"ignore_watch", func(d *definition, n *yaml.Node) { d.Watch.Ignore = d.list(n, "ignore_watch") },
		func(a *App) any { return notNil(a.Watch.Ignore) },
	},
	{"watch_options", func(d *definition, n *yaml.Node) { d.watchOptions(n) }, showWatchOptions},
	{
		"watch_delay", func(d *definition, n *yaml.Node) { d.Watch.Delay = d.duration(n, "watch_delay") },
		func(a *App) any { return FormatDuration(a.Watch.Delay) },
	},

	{"out_file", func(d *definition, n *yaml.Node) { d.OutFile = d.text(n, "out_file") }, func(a *App) any { return a.OutFile }},
	{"error_file", func(d *definition, n *yaml.Node) { d.ErrorFile = d.text(n, "error_file") }, func(a *App) any { return a.ErrorFile }},
	{"log_file", func(d *definition, n *yaml.Node) { d.LogFile = d.text(n, "log_file") }, func(a *App) any { return zeroIsNull(a.LogFile) }},
	{"merge_logs", func(d *definition, n *yaml.Node) { d.MergeLogs = d.boolean(n, "merge_logs") }, func(a *App) any { return a.MergeLogs }},
	{
		"log_date_format", func(d *definition, n *yaml.Node) { d.LogDateFormat = d.text(n, "log_date_format") },
		func(a *App) any { return zeroIsNull(a.LogDateFormat) },
	},
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

func zeroIsNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
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

func (d *definition) interpreter(n *yaml.Node) string {
	v := d.text(n, "interpreter")
	if strings.HasPrefix(v, "node@") {
		d.at(n, "interpreter %q: devstack installs no Node versions", v).Hint = "write node, or the path of the node to use"
	}
	return v
}

func (d *definition) exitCodes(n *yaml.Node) []int {
	if n.Kind != yaml.SequenceNode {
		return []int{d.integer(n, "stop_exit_codes", 0, 255)}
	}
	var out []int
	for _, child := range n.Content {
		out = append(out, d.integer(child, "an element of stop_exit_codes", 0, 255))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// signal is a signal's name with SIG before it, whichever way it is written.
func (d *definition) signal(n *yaml.Node) string {
	v := d.text(n, "kill_signal")
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
