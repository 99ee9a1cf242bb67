package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
	"devstack/view"
)

// rawEvents writes every event as a line of JSON.
func rawEvents(w io.Writer) func(api.Event) {
	encoder := json.NewEncoder(w)
	return func(e api.Event) { _ = encoder.Encode(e) }
}

// plain shows progress as lines, one per step that a person would want to know of.
type plain struct {
	w      io.Writer
	c      style
	start  time.Time
	ending bool              // as in board
	last   map[string]string // resource and kind -> its last line
}

func newPlain(w io.Writer, c style, start time.Time, ending bool) *plain {
	return &plain{w, c, start, ending, map[string]string{}}
}

func (p *plain) event(e view.Event) {
	if p.ending && endingHides(e) {
		return
	}
	line := plainLine(e)
	key := format.Instance(e.Resource, e.Instance)
	before, told := p.last[key+string(e.Kind)]
	fewer := e.Kind == view.KindWaiting && told // what it waits for gets less one by one
	again := e.Kind == view.KindFailure && told // another command has told the same
	if line == "" || before == line || fewer || again {
		return
	}
	p.last[key+string(e.Kind)] = line
	if key != "" {
		line = key + ": " + line
	}
	if line = printableLines(line); e.Kind == view.KindFailure {
		line = p.c.red("✗ " + line)
	}
	fmt.Fprintf(p.w, "%6s  %s\n", elapsed(e.Time.Sub(p.start)), line)
}

// plainLine is what an event means, without its resource; empty: nothing worth a line.
func plainLine(e view.Event) string {
	switch e.Kind {
	case view.KindService, view.KindProcess:
		switch e.To {
		case "online", "healthy", "completed": // it is ready: that comes next
			return ""
		case "waiting", "running", "starting": // what it waits for, and then ready, say more
			return ""
		}
		return because(e.To, e)
	case view.KindReady:
		if e.To != view.IsReady {
			return "" // why has just been said
		}
		return because(e.To, e)
	case view.KindReload:
		return reloadText(e)
	case view.KindWaiting:
		if e.To == "" {
			return ""
		}
		return "waits for " + e.To
	case view.KindOp:
		if e.Step == nil || e.To == "done" {
			return ""
		}
		return stepText(e)
	case view.KindPull:
		return pullStep(e.Progress)
	case view.KindBuild:
		return strings.TrimRight(e.Message, "\n")
	case view.KindFailure:
		return e.Message
	case view.KindWarning:
		if saidAsFailure(e) {
			return ""
		}
		return "warning: " + e.Message
	}
	return ""
}

// saidAsFailure says of a warning that an action which waits for the resource says the same, and more, as its failure.
func saidAsFailure(e view.Event) bool { return e.Cause == "listen_timeout" }

// reloadText is how far a reload has come.
func reloadText(e view.Event) string {
	words := map[string]string{
		"launched": "the new one starts beside the old one", "ready": "the new one is ready, and must stay so for a second",
		"serves": "the new one serves, the old one drains", "failed": "the new one failed, the old one goes on", "left": "the other one has gone",
	}
	return because(words[e.To], e)
}

// endingHides is whether an event says nothing while things are being ended: of course others now wait for them.
func endingHides(e view.Event) bool { return e.Kind == view.KindWaiting || e.Kind == view.KindReady }

// stepText is a step of a plan in words; of the resource itself without its name.
func stepText(e view.Event) string {
	text := e.Step.Verb + " " + e.Step.Object
	if e.Step.Name != e.Resource {
		text += " " + e.Step.Name
	}
	if e.To == "failed" {
		return "failed: " + because(text, view.Event{Cause: e.Cause})
	}
	return text
}

// because adds why to what happened.
func because(what string, e view.Event) string {
	switch {
	case e.Message != "" && e.Message != what:
		return what + " (" + e.Message + ")"
	case e.Cause != "":
		return what + " (" + e.Cause + ")"
	}
	return what
}

// pullStep is a pull's progress in steps of a quarter, so that a log is not flooded.
func pullStep(p *view.Progress) string {
	switch {
	case p == nil || p.Total <= 0:
		return "pulling the image"
	case p.Current >= p.Total:
		return "pulled the image, " + format.Size(p.Total)
	}
	return fmt.Sprintf("pulling the image, %d %% of %s", p.Current*4/p.Total*25, format.Size(p.Total))
}
