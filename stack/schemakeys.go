package stack

// keyDoc says of one key of ecosystem.yaml what an editor shows and checks.
type keyDoc struct {
	name     string
	text     string
	value    any // a fragment of JSON Schema
	fallback any // the default; nil: none, or it depends on other keys
}

// object is a fragment of JSON Schema.
type object = map[string]any

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func either(fragments ...any) object { return object{"anyOf": fragments} }

// enum is a few words, or a variable that stands for one.
func enum(words ...any) object { return either(object{"enum": words}, ref("interpolated")) }

// appKeyDocs are the keys of an app beside name, one for each of appKeys and in the same order.
func appKeyDocs() []keyDoc {
	text, words, flag, duration, size := ref("text"), ref("words"), ref("boolean"), ref("duration"), ref("size")
	return []keyDoc{
		{"namespace", "A group of apps that commands can name as one.", text, "default"},
		{"script", "The file to run; relative to cwd. One of script and command is required.", text, nil},
		{"command", "A program and its arguments as a list, or a line that the shell runs, instead of script.", words, nil},
		{"args", "Arguments of the script: a list, or a string split at blanks outside quotes.", words, nil},
		{"node_args", "Arguments of the interpreter, before the script.", words, nil},
		{"interpreter", "What runs the script; none: it is a program itself. Default: by its extension, as PM2.", text, nil},
		{"cwd", "The directory to run in; relative to this file. Default: this file's directory.", text, nil},
		{"env", "Environment variables. The shell that runs the command wins over them.", ref("env"), nil},
		{"env_file", "Files of environment variables in Compose's syntax; they must exist. env wins over them.", ref("list"), nil},

		{"instances", "How many processes: a number, max (one per processor), or -n (that many fewer).", ref("instances"), 1},
		{
			"exec_mode", "fork or cluster; in both, instances are processes that share the port if it is held. Default: cluster when there are several instances.",
			enum("fork", "cluster", "fork_mode", "cluster_mode"), "fork",
		},
		{"instance_var", "The variable that tells a process which instance it is.", text, "NODE_APP_INSTANCE"},
		{"increment_var", "A variable that is counted up from instance to instance.", text, nil},
		{"port", "The port that the app listens on: sets PORT, above the shell's.", ref("port"), nil},
		{
			"hold_port", "Whether the port stays open across restarts and is shared by instances. auto: if node runs the program; true: opened before the start and passed on as LISTEN_FDS.",
			enum("auto", true, false, "true", "false"), "auto",
		},

		{
			"depends_on", "Apps and services that must be ready before this one starts: a list, or Compose's map of conditions.",
			ref("dependsOn"), nil,
		},
		{
			"healthcheck", "How to find out that the app works. Until the first success it is not ready; afterwards `retries` failures in a row restart it.",
			ref("healthcheck"), nil,
		},
		{"wait_ready", "Ready when the process says so: process.send('ready').", flag, false},
		{"listen_timeout", "How long a launch may take to become ready.", duration, "30s"},

		{"autostart", "Whether `up` starts it without being told its name.", flag, true},
		{"autorestart", "Whether it is launched again when it ends.", flag, true},
		{"one_shot", "It does its work and ends: ready when it has ended with 0. A failure is final, unless the app itself has max_restarts.", flag, false},
		{"inputs", "Globs of files that a one_shot reads; relative to cwd. `up` runs it again when their content, or that of what watch names, has changed since it succeeded.", ref("list"), nil},
		{
			"max_restarts", "Restarts in a row after unstable exits; one more unstable exit and it is errored. -1: no limit, the default in the profile pilot.",
			ref("limit"), 10,
		},
		{"min_uptime", "An exit before that is unstable.", duration, "10s"},
		{"restart_delay", "A fixed pause before a restart. Default: the first at once, then growing up to 15 s.", duration, nil},
		{"exp_backoff_restart_delay", "Where the growing pause before restarts begins.", duration, "100ms"},
		{"stop_exit_codes", "Exit codes after which it is not restarted.", ref("exitCodes"), nil},
		{"cron_restart", "A cron expression: when to restart it. What is stopped stays stopped.", either(text, object{"const": 0}), nil},
		{"max_memory_restart", "Restart it when its whole process tree has more memory than that.", size, nil},

		{"kill_signal", "The signal that asks it to end.", text, "SIGTERM"},
		{"kill_timeout", "How long it may take to end before SIGKILL.", duration, "10s"},
		{"shutdown_with_message", "Ask it to end with the IPC message `shutdown` instead of a signal.", flag, false},

		{"watch", "Restart it when files change: true (below cwd), or globs. The profile pilot heeds its own overlay alone.", either(flag, ref("list")), false},
		{"ignore_watch", "Globs that are not watched, beside .git, node_modules, logs and .gitignore.", ref("list"), nil},
		{
			"watch_options", "How files are watched.", ref("watchOptions"),
			object{"followSymlinks": true, "usePolling": false, "interval": "100ms"},
		},
		{"watch_delay", "How long files must be quiet before the restart.", duration, "300ms"},

		{"out_file", "Where standard output goes; relative to log_dir. Default: <name>-out.log.", text, nil},
		{"error_file", "Where standard error goes; relative to log_dir. Default: <name>-error.log.", text, nil},
		{"log_file", "A file for both streams, beside the others.", text, nil},
		{"merge_logs", "All instances write into the same files.", flag, false},
		{"log_date_format", "A timestamp before each line, in PM2's tokens, such as YYYY-MM-DD HH:mm:ss.SSS Z.", text, nil},
		{"log_type", "raw, or json: one record per line.", enum("raw", "json"), "raw"},
		{"max_log_size", "A log file is rotated when it gets larger; at least 1M.", size, 10 << 20},
		{"max_log_files", "How many rotated files are kept.", ref("positive"), 10},
	}
}

// topKeyDocs are the keys of the top level, one for each of topKeys.
func topKeyDocs() []keyDoc {
	return []keyDoc{
		{"name", "The stack's name in devstack's output. Default: the Compose project's name.", ref("text"), nil},
		{"compose", "The Compose file, or several; left out: a stack without containers.", ref("list"), nil},
		{"services", "Which services of the Compose file. Default: all enabled ones.", ref("list"), nil},
		{"env_file", "Files of environment variables in Compose's syntax; the lowest priority. They may be absent.", ref("list"), ".env"},
		{"required_env", "Variables that must be set before anything starts.", ref("list"), nil},
		{"log_dir", "Where logs are written; relative to this file.", ref("text"), ".devstack/logs"},
		{"build", "How missing scripts are made; `up --build` always runs it.", ref("build"), nil},
		{"defaults", "Keys of every app that does not set them itself.", ref("settings"), nil},
		{"apps", "The processes.", object{"type": "array", "items": ref("app")}, nil},
		{"profiles", "What is different in a stage: --profile or DEVSTACK_PROFILE.", ref("profiles"), nil},
	}
}

// schemaParts are the fragments that keys refer to. Any value that is no string may also be a string with a variable in it.
func schemaParts() object {
	number := func(low int) object {
		return either(object{"type": "integer", "minimum": low}, ref("interpolated"))
	}
	scalar := object{"type": []any{"string", "number", "boolean"}}
	settings, app := object{}, object{"name": object{"type": "string", "description": "How commands and dependencies call it.", "maxLength": 64}}
	for _, d := range appKeyDocs() {
		settings[d.name], app[d.name] = d.nullable(), d.nullable()
	}
	return object{
		"text":         object{"type": "string", "minLength": 1},
		"interpolated": object{"type": "string", "pattern": `\$`},
		"boolean":      either(object{"type": "boolean"}, ref("interpolated")),
		"positive":     number(1),
		"limit":        number(-1),
		"port":         either(object{"type": "integer", "minimum": 1, "maximum": 65535}, ref("interpolated")),
		"instances":    either(object{"type": "integer"}, object{"const": "max"}, ref("interpolated")),
		"duration": either(object{"type": "integer", "minimum": 0, "description": "milliseconds"},
			object{"type": "string", "pattern": durationPattern.String()}, ref("interpolated")),
		"size": either(object{"type": "integer", "minimum": 0, "description": "bytes"},
			object{"type": "string", "pattern": `^\d+(?:\.\d+)?[KMGkmg]?[Bb]?$`}, ref("interpolated")),
		"words":        either(object{"type": "string"}, object{"type": "array", "items": scalar}),
		"list":         either(ref("text"), object{"type": "array", "items": scalar}),
		"env":          object{"type": "object", "additionalProperties": object{"type": []any{"string", "number", "boolean", "null"}}},
		"exitCodes":    either(ref("exitCode"), object{"type": "array", "items": ref("exitCode")}),
		"exitCode":     either(object{"type": "integer", "minimum": 0, "maximum": 255}, ref("interpolated")),
		"dependsOn":    dependsOnSchema(),
		"healthcheck":  healthcheckSchema(),
		"watchOptions": closed(object{"followSymlinks": ref("boolean"), "usePolling": ref("boolean"), "interval": ref("duration")}),
		"build": closed(object{
			"command":    described(ref("words"), "A program and its arguments, or a line that the shell runs in defaults.cwd."),
			"if_missing": described(ref("boolean"), "Run it when an app's script is missing."),
		}, "command"),
		"settings": closed(settings),
		"app":      closed(app, "name"),
		"profiles": closed(object{"dev": ref("profile"), "pilot": ref("profile"), "prod": ref("profile")}),
		"profile": either(closed(object{
			"defaults": described(ref("settings"), "Above `defaults` and the apps."),
			"apps":     object{"type": "object", "additionalProperties": either(ref("settings"), object{"type": "null"})},
		}), object{"type": "null"}),
	}
}

func dependsOnSchema() object {
	condition := enum(string(Healthy), string(Started), string(Completed))
	return either(
		object{"type": "array", "items": object{"type": "string"}},
		object{"type": "object", "additionalProperties": either(closed(object{"condition": condition}), object{"type": "null"})},
	)
}

func healthcheckSchema() object {
	return closed(object{
		"http":         described(ref("text"), "A path on the app's port, or a URL: an answer of 2xx or 3xx."),
		"exec":         described(ref("words"), "A command that ends with 0."),
		"tcp":          described(either(ref("text"), ref("port")), "host:port, or a port of this machine, that accepts a connection."),
		"log_line":     described(ref("text"), "A regular expression that a line of output matches."),
		"interval":     withDefault(described(ref("duration"), "From one probe to the next, once it was ready."), "5s"),
		"timeout":      withDefault(described(ref("duration"), "Of one probe."), "2s"),
		"retries":      withDefault(described(ref("positive"), "Failures in a row that restart the app."), 3),
		"start_period": withDefault(described(ref("duration"), "How long it may take to the first success, if longer than listen_timeout."), 0),
	})
}
