package monit

import (
	"errors"

	"devstack/daemon/api"
)

// action is what a key does to the selected row.
type action struct {
	key   string
	verb  api.Verb
	doing string
	done  string
}

// actions are all of them, in the order of the help line.
func actions() []action {
	return []action{
		{"s", api.Start, "starting", "started"},
		{"x", api.Stop, "stopping", "stopped"},
		{"r", api.Restart, "restarting", "restarted"},
		{"R", api.Reload, "reloading", "reloaded"},
		{"F", api.Flush, "emptying the logs", "the logs are empty"},
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
		return note{msg.row.name + ": cannot " + string(msg.action.verb) + ": " + clean(why), bad}
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
