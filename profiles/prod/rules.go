package prod

import "time"

// appRules has one rule for each of stack.AppKeys.
var appRules = map[string]func(a *account) []finding{
	"name": func(a *account) []finding {
		if a.w.Name != a.app.Name {
			return approximated("", "%s, as names are DNS labels in production", a.w.Name)
		}
		return mapped("the workload %s", a.w.Name)
	},
	"namespace": func(a *account) []finding {
		if a.app.Namespace == "default" {
			return nothing()
		}
		return dropped("group with labels of the target", "it groups apps for devstack's commands alone")
	},
	"script": func(a *account) []finding {
		if a.app.Script == "" {
			return nothing()
		}
		return mapped("the command, in %s", a.w.WorkDir)
	},
	"command":     (*account).ofCommand,
	"args":        func(a *account) []finding { return words(a.app.Args) },
	"node_args":   func(a *account) []finding { return words(a.app.NodeArgs) },
	"interpreter": (*account).ofInterpreter,
	"cwd":         func(a *account) []finding { return mapped("the working directory %s", a.w.WorkDir) },
	"env":         (*account).ofEnv,
	"env_file":    (*account).ofEnvFile,

	"instances": func(a *account) []finding {
		switch {
		case a.w.Kind != Service && a.app.Count() > 1:
			return approximated("write an app for each, or let one do all the work", "it runs once, as jobs do")
		case a.w.Singleton:
			return mapped("1, and an update stops the old one before it starts the new one")
		}
		return mapped("replicas: %d", a.app.Count())
	},
	"exec_mode": func(a *account) []finding {
		return mapped("every replica is a container of its own; the target spreads connections")
	},
	"instance_var": func(a *account) []finding {
		if a.w.Replicas > 1 && a.app.InstanceVar != "" {
			return dropped("let replicas find out by a lock who does what only one may do", "replicas have no numbers; %s is not set", a.app.InstanceVar)
		}
		return mapped("0, as there is one")
	},
	"increment_var": func(a *account) []finding {
		switch {
		case a.app.IncrementVar == "" || a.app.Count() == 1:
			return nothing()
		case a.app.IncrementVar == "PORT":
			return approximated("", "every replica has an address of its own, and the same port")
		}
		return dropped("let replicas find out by themselves what is theirs", "replicas have no numbers to count by")
	},
	"port": func(a *account) []finding {
		if a.app.Port == 0 {
			return nothing()
		}
		return mapped("port %d and PORT", a.app.Port)
	},
	"hold_port": func(a *account) []finding {
		if a.app.HoldPort == "true" {
			return dropped("bind PORT when there is no LISTEN_FDS", "no target opens the port before the start and passes it")
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
		return mapped("%s until the first success of the probe", a.w.Probe.StartPeriod)
	},

	"autostart": func(a *account) []finding {
		if !a.app.Autostart {
			return mapped("defined with 0 replicas, not started")
		}
		return mapped("started")
	},
	"autorestart": func(a *account) []finding {
		switch {
		case a.w.Restart != Never:
			return mapped("restarted when it ends")
		case a.w.Kind == Service:
			return approximated("one_shot: true if it ends by design", "targets that always restart services restart this one, too")
		case !a.app.OneShot && a.w.Kind == Job:
			return approximated("one_shot: true says the same", "run once per deployment, as a job")
		}
		return mapped("not restarted")
	},
	"one_shot": func(a *account) []finding {
		if a.app.OneShot {
			return mapped("a job, run to its end at every deployment")
		}
		return nothing()
	},
	"max_restarts": func(a *account) []finding {
		if a.app.MaxRestarts < 0 {
			return mapped("restarted without a limit")
		}
		return dropped("alarm on restarts; -1 in the prod profile says what targets do", "targets restart without a limit, ever more slowly")
	},
	"min_uptime": func(a *account) []finding {
		return dropped(takeBack("min_uptime"), "no target tells stable exits from others")
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
			return mapped("restarted on failure only")
		}
		return dropped("let the process stay and wait, or exit with 0", "targets tell exit code 0 from others and know no list")
	},
	"cron_restart":       (*account).ofCron,
	"max_memory_restart": (*account).ofMemory,

	"kill_signal": func(a *account) []finding { return mapped("%s", a.w.Stop.Signal) },
	"kill_timeout": func(a *account) []finding {
		return mapped("%s between the signal and SIGKILL", a.w.Stop.Grace)
	},
	"shutdown_with_message": func(a *account) []finding {
		if a.app.ShutdownWithMessage {
			return approximated("end on "+a.w.Stop.Signal, "no target sends messages; it gets %s", a.w.Stop.Signal)
		}
		return nothing()
	},

	"watch": func(a *account) []finding {
		if a.app.Watch.On {
			return dropped("watch: false in the prod profile", "what an image holds does not change")
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
		return mapped("the target keeps one log per replica and joins them at read")
	},
	"log_date_format": func(a *account) []finding {
		if a.app.LogDateFormat == "" {
			return nothing()
		}
		return approximated("", "the target notes the time of every line, in its own format")
	},
	"log_type": func(a *account) []finding {
		if a.app.LogType == "raw" {
			return mapped("lines as the app writes them")
		}
		return approximated("let the app write JSON itself", "lines as the app writes them; the target adds time and name")
	},
	"max_log_size":  func(a *account) []finding { return mapped("%d bytes where the target writes files", a.w.Logs.MaxSize) },
	"max_log_files": func(a *account) []finding { return mapped("%d where the target writes files", a.w.Logs.MaxFiles) },
}
