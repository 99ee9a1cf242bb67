package monit

import (
	"context"
	"errors"

	"devstack/daemon/api"
)

// action is what a key does to the selected row.
type action struct {
	key   string
	verb  string
	doing string
	done  string
	call  func(*api.Client, context.Context, api.ActionRequest, func(api.Event)) (*api.Result, error)
}

// flush empties the log files of a row: what is shown of them begins anew.
const flush = "flush"

// actions are all of them, in the order of the help line.
func actions() []action {
	return []action{
		{"s", "start", "starting", "started", (*api.Client).Start},
		{"x", "stop", "stopping", "stopped", (*api.Client).Stop},
		{"r", "restart", "restarting", "restarted", (*api.Client).Restart},
		{"R", "reload", "reloading", "reloaded", (*api.Client).Reload},
		{"F", flush, "emptying the logs", "the logs are empty", (*api.Client).Flush},
	}
}

// actionOf is the action of a key.
func actionOf(key string) (action, bool) {
	for _, a := range actions() {
		if a.key == key {
			return a, true
		}
	}
	return action{}, false
}

// outcome is how an action ended, in a sentence.
func (msg actedMsg) outcome() note {
	failed := func(why, hint string) note {
		if hint != "" {
			why += "; next: " + hint
		}
		return note{msg.row.name + ": cannot " + msg.action.verb + ": " + clean(why), bad}
	}
	var answer *api.Error
	switch {
	case errors.As(msg.err, &answer):
		return failed(answer.Message, answer.Hint)
	case msg.err != nil:
		return failed(msg.err.Error(), "")
	case msg.succeeded():
		return note{msg.row.name + ": " + msg.action.done, good}
	}
	why := msg.result.Error
	if why == "" && len(msg.result.Failures) > 0 {
		why = msg.result.Failures[0].Message
	}
	return failed(why, msg.result.Hint)
}

// succeeded is whether it did what it should.
func (msg actedMsg) succeeded() bool { return msg.err == nil && msg.result.Exit == api.ExitDone }
