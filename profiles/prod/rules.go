package prod

import "time"

// appRules has one rule for each of stack.AppKeys.
var appRules = map[string]func(a *account) []finding{
	"name": func(a *account) []finding {
		if a.w.Name != a.app.Name {
			return approximated("", "production calls it %s: names are DNS labels there", a.w.Name)
		}
		return mapped("the workload %s", a.w.Name)
	},
	"namespace": func(a *account) []finding {
		if a.app.Namespace == "default" {
			return nothing()
		}
		return dropped("use labels of the target to group apps", "only devstack's commands use it")
	},
	"script": func(a *account) []finding {
		if a.app.Script == "" {
			return nothing()
		}
		return mapped("the container runs it in %s", a.w.WorkDir)
	},
	"command":     (*account).ofCommand,
	"args":        func(a *account) []finding { return words(a.app.Args) },
	"node_args":   func(a *account) []finding { return words(a.app.NodeArgs) },
	"interpreter": (*account).ofInterpreter,
	"cwd":         func(a *account) []finding { return mapped("the container runs in %s", a.w.WorkDir) },
	"env":         (*account).ofEnv,
	"env_file":    (*account).ofEnvFile,

	"instances": func(a *account) []finding {
		switch {
		case a.w.Kind != Service && a.app.Count() > 1:
			return approximated("write an app for each, or let one do all the work", "a job runs once")
		case a.w.Singleton:
			return mapped("there is 1, and an update stops the old one before it starts the new one")
		}
		return mapped("replicas: %d", a.app.Count())
	},
	"exec_mode": func(a *account) []finding {
		return mapped("every replica is a container of its own; the target spreads connections")
	},
	"instance_var": func(a *account) []finding {
		if a.w.Replicas > 1 && a.app.InstanceVar != "" {
			return dropped("let the replicas use a lock for what only one of them may do", "replicas have no numbers; %s is not set", a.app.InstanceVar)
		}
		return mapped("it is 0: there is one replica")
	},
	"increment_var": func(a *account) []finding {
		switch {
		case a.app.IncrementVar == "" || a.app.Count() == 1:
			return nothing()
		case a.app.IncrementVar == "PORT":
			return approximated("", "every replica has an address of its own, and the same port")
		}
		return dropped("let each replica find out what its part is", "replicas have no numbers, so nothing is counted up")
	},
	"port": func(a *account) []finding {
		if a.app.Port == 0 {
			return nothing()
		}
		return mapped("the container has port %d and PORT", a.app.Port)
	},
	"hold_port": func(a *account) []finding {
		if a.app.HoldPort == "true" {
			return dropped("bind PORT when there is no LISTEN_FDS", "no target opens the port before the app starts")
		}
		return mapped("the target's address takes connections while replicas are replaced")
	},
	"depends_on":  (*account).ofDependsOn,
	"healthcheck": (*account).ofHealthcheck,
	"wait_ready": func(a *account) []finding {
		switch {
		case !a.app.WaitReady:
			return nothing()
		case a.w.Probe != nil:
			return approximated("", "no target hears process.send; the healthcheck tells when it is ready")
		}
		return dropped("write a healthcheck (exec: a command that ends with 0 when it works)", "no target hears process.send: it counts as ready as soon as it runs")
	},
	"listen_timeout": func(a *account) []finding {
		if a.w.Probe == nil {
			return dropped("write a healthcheck", "nothing tells when it is ready")
		}
		return mapped("the probe has %s to succeed for the first time", a.w.Probe.StartPeriod)
	},

	"autostart": func(a *account) []finding {
		if !a.app.Autostart {
			return mapped("it has 0 replicas, so it does not start")
		}
		return mapped("it starts")
	},
	"autorestart": func(a *account) []finding {
		switch {
		case a.w.Restart != Never:
			return mapped("the target restarts it when it ends")
		case a.w.Kind == Service:
			return approximated("write one_shot: true if it is meant to end", "targets that always restart services restart this one, too")
		case !a.app.OneShot && a.w.Kind == Job:
			return approximated("write one_shot: true, which says the same", "it runs once per deployment, as a job")
		}
		return mapped("the target does not restart it")
	},
	"one_shot": func(a *account) []finding {
		if a.app.OneShot {
			return mapped("it is a job, which every deployment runs to its end")
		}
		return nothing()
	},
	"inputs": func(a *account) []finding {
		if len(a.app.Inputs) > 0 {
			return mapped("every deployment runs it, whatever has changed")
		}
		return nothing()
	},
	"max_restarts": func(a *account) []finding {
		if a.app.MaxRestarts < 0 {
			return mapped("the target restarts it without a limit")
		}
		return dropped("set an alarm on restarts; -1 in the prod profile says what targets do", "targets restart without a limit, ever more slowly")
	},
	"min_uptime": func(a *account) []finding {
		return dropped(takeBack("min_uptime"), "no target distinguishes stable exits from others")
	},
	"restart_delay": func(a *account) []finding { return pause("restart_delay", a.app.RestartDelay != nil) },
	"exp_backoff_restart_delay": func(a *account) []finding {
		return pause("exp_backoff_restart_delay", a.app.BackoffBase != 100*time.Millisecond)
	},
	"stop_exit_codes": func(a *account) []finding {
		switch {
		case len(a.app.StopExitCodes) == 0:
			return nothing()
		case a.w.Restart == OnFailure && len(a.app.StopExitCodes) == 1:
			return mapped("the target restarts it only after a failure")
		}
		return dropped("let the process stay and wait, or exit with 0", "targets only distinguish exit code 0 from all others")
	},
	"cron_restart":       (*account).ofCron,
	"max_memory_restart": (*account).ofMemory,

	"kill_signal": func(a *account) []finding { return mapped("%s", a.w.Stop.Signal) },
	"kill_timeout": func(a *account) []finding {
		return mapped("it has %s between the signal and SIGKILL", a.w.Stop.Grace)
	},
	"shutdown_with_message": func(a *account) []finding {
		if a.app.ShutdownWithMessage {
			return approximated("let it end on "+a.w.Stop.Signal, "no target sends messages; it gets %s", a.w.Stop.Signal)
		}
		return nothing()
	},

	"watch": func(a *account) []finding {
		if a.app.Watch.On {
			return dropped("write watch: false in the prod profile", "files in an image do not change")
		}
		return nothing()
	},
	"ignore_watch":  func(a *account) []finding { return ofWatch(a.app.Watch.On) },
	"watch_options": func(a *account) []finding { return ofWatch(a.app.Watch.On, "followSymlinks", "usePolling", "interval") },
	"watch_delay":   func(a *account) []finding { return ofWatch(a.app.Watch.On) },

	"out_file":   func(a *account) []finding { return logFile(a.app.OutFile) },
	"error_file": func(a *account) []finding { return logFile(a.app.ErrorFile) },
	"log_file":   func(a *account) []finding { return logFile(a.app.LogFile) },
	"merge_logs": func(a *account) []finding {
		return mapped("the target keeps one log per replica and joins them when you read it")
	},
	"log_date_format": func(a *account) []finding {
		if a.app.LogDateFormat == "" {
			return nothing()
		}
		return approximated("", "the target notes the time of every line, in its own format")
	},
	"log_type": func(a *account) []finding {
		if a.app.LogType == "raw" {
			return mapped("the log has the lines that the app writes")
		}
		return approximated("let the app write JSON itself", "the log has the lines that the app writes; the target adds time and name")
	},
	"max_log_size": func(a *account) []finding {
		return mapped("a file has at most %d bytes where the target writes files", a.w.Logs.MaxSize)
	},
	"max_log_files": func(a *account) []finding {
		return mapped("the target keeps %d files where it writes files", a.w.Logs.MaxFiles)
	},
}
