package procs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/node"
	"devstack/stack"
)

// launchRequest is everything the keeper needs to run an app. An error means that its program is not there.
// A held app that Node runs gets the shim, the file that makes its sockets outlive it.
func launchRequest(app stack.App, key keeper.Key, id int, shim string) (keeper.Launch, error) {
	env := app.Environ()
	argv := commandLine(app)
	path, err := findExecutable(argv[0], app.Cwd, env)
	if err != nil {
		return keeper.Launch{}, err
	}
	argv[0] = path
	var hold *keeper.Hold
	if app.HoldsSockets() {
		hold = &keeper.Hold{}
		if app.HoldPort == "true" {
			hold.Bind = app.Port
		}
		if app.RunsNode() {
			env = node.Preload(env, shim)
		}
	}
	p := policyOf(app)
	return keeper.Launch{
		Key:   key,
		Argv:  argv,
		Dir:   app.Cwd,
		Env:   env,
		Logs:  logsOf(app, id),
		IPC:   node.IsNode(app.Interpreter) || app.RunsNode() || app.WaitReady || app.ShutdownWithMessage,
		Grace: keeper.Grace{Signal: int(p.KillSignal), Timeout: p.KillTimeout, OverIPC: p.ShutdownWithMessage},
		Hold:  hold,
	}, nil
}

// commandLine is command, or interpreter, node_args, script and args.
func commandLine(app stack.App) []string {
	var argv []string
	switch {
	case len(app.Command) > 0:
		argv = append(argv, app.Command...)
	case app.Interpreter == "" || app.Interpreter == "none":
		argv = append(argv, app.Script)
	default:
		argv = append(argv, app.Interpreter)
		argv = append(argv, app.NodeArgs...)
		argv = append(argv, app.Script)
	}
	return append(argv, app.Args...)
}

// findExecutable looks a program up as the process itself would: in the PATH of its own environment.
func findExecutable(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, nil // exec says what is wrong with it
	}
	path := ""
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = value
		}
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		candidate := filepath.Join(folder, name)
		if fi, err := os.Stat(candidate); err == nil && !fi.IsDir() && fi.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("cannot find %s in PATH (%s): %w", name, path, syscall.ENOENT)
}

func logsOf(app stack.App, id int) keeper.Logs {
	logs := keeper.Logs{
		Out: app.OutFile, Err: app.ErrorFile, Combined: app.LogFile,
		MaxSize: app.MaxLogSize, MaxFiles: app.MaxLogFiles, ID: id,
	}
	logs.Format, logs.Layout = logFormat(app)
	return logs
}

// logFormat is the keeper's word for how lines are written, and the Go time layout of "text".
func logFormat(app stack.App) (format, layout string) {
	switch {
	case app.LogType == "json":
		return "json", ""
	case app.LogDateFormat != "":
		return "text", goLayout(app.LogDateFormat)
	}
	return "", ""
}
