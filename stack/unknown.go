package stack

import (
	"slices"
	"strings"
)

// pm2Aliases are PM2's other names of keys that devstack has.
var pm2Aliases = map[string]string{
	"exec": "script", "cmd": "script", "exec_interpreter": "interpreter", "interpreter_args": "node_args",
	"cron": "cron_restart", "out": "out_file", "output": "out_file", "out_log": "out_file",
	"error": "error_file", "err": "error_file", "err_file": "error_file", "err_log": "error_file", "log": "log_file",
	"combine_logs": "merge_logs", "depends": "depends_on", "health_check": "healthcheck", "environment": "env",
	"working_dir": "cwd",
}

// pm2LeftOut are the keys of PM2 that devstack does not have, and why.
var pm2LeftOut = map[string]string{
	"pmx":                        "nothing is injected into the app; its memory and CPU are measured from outside",
	"automation":                 "nothing is injected into the app; its memory and CPU are measured from outside",
	"io":                         "nothing is injected into the app; its memory and CPU are measured from outside",
	"trace":                      "nothing is injected into the app; trace it with its own tools",
	"disable_trace":              "nothing is injected into the app, so there is nothing to disable",
	"deep_monitoring":            "nothing is injected into the app; its memory and CPU are measured from outside",
	"event_loop_inspector":       "nothing is injected into the app; use node_args: --inspect",
	"v8":                         "use node_args",
	"vizion":                     "devstack does not look at version control",
	"post_update":                "devstack does not pull code; put the commands into `build`",
	"deploy":                     "devstack does not copy code to other machines",
	"static":                     "devstack serves no files; use an app for it",
	"pm2":                        "write its content at the top level",
	"source_map_support":         "use node_args: --enable-source-maps",
	"disable_source_map_support": "source maps are off unless node_args has --enable-source-maps",
	"treekill":                   "the whole process tree is always stopped",
	"kill_retry_time":            "devstack waits for the exit itself, it does not poll",
	"uid":                        "processes run as the user who runs devstack",
	"gid":                        "processes run as the user who runs devstack",
	"user":                       "processes run as the user who runs devstack",
	"username":                   "processes run as the user who runs devstack",
	"time":                       "use log_date_format: YYYY-MM-DDTHH:mm:ss",
	"filter_env":                 "variables are inherited as from a shell; override one in `env`",
	"pid_file":                   "pids are in `devstack ps` and `devstack pid NAME`; a file would go stale",
	"pid":                        "pids are in `devstack ps` and `devstack pid NAME`; a file would go stale",
	"disable_logs":               "use out_file: /dev/null and error_file: /dev/null",
	"append_env_to_name":         "names do not depend on the stage; stages are in `profiles`",
	"name_prefix":                "use namespace",
	"force":                      "an app has one name; write a second app to run a script twice",
	"execute_command":            "use command",
	"write":                      "devstack never writes to this file",
	"install_url":                "devstack installs nothing",
	"windows_hide":               "devstack does not run on Windows itself",
	"restart":                    "that is Compose's; use autorestart and max_restarts",
	"image":                      "an app is a process; containers are in compose.yaml",
	"ports":                      "that is Compose's; use port",
	"volumes":                    "an app is a process; containers are in compose.yaml",
	"entrypoint":                 "that is Compose's; use command or interpreter",
	"stop_signal":                "use kill_signal",
	"stop_grace_period":          "use kill_timeout",
	"scale":                      "use instances",
}

// unknownKey reports a key that a place does not have, with what was probably meant.
func (p *problems) unknownKey(e entry, where string, known []string) {
	key := e.key.Value
	name := snake(key)
	target := pm2Aliases[name]
	switch {
	case slices.Contains(known, name):
		p.at(e.key, "unknown key %q in %s; devstack's name is %q", key, where, name)
	case target != "" && slices.Contains(known, target):
		p.at(e.key, "unknown key %q in %s; devstack's name is %q", key, where, target)
	case pm2LeftOut[name] != "" || pm2LeftOut[key] != "":
		reason := pm2LeftOut[name]
		if reason == "" {
			reason = pm2LeftOut[key]
		}
		p.at(e.key, "%s has no key %q: %s", where, key, reason)
	case strings.HasPrefix(name, "env_") && nearest(key, known) == "":
		p.at(e.key, "%s has no key %q: stages are in `profiles`", where, key).Hint = "profiles: {pilot: {apps: {NAME: {env: {...}}}}}"
	default:
		p.at(e.key, "unknown key %q in %s%s", key, where, didYouMean(key, known))
	}
}
