package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
)

// rawEvents writes every event as a line of JSON.
func rawEvents(w io.Writer) func(api.Event) {
	encoder := json.NewEncoder(w)
	return func(e api.Event) { _ = encoder.Encode(e) }
}

// plain shows progress as lines, one per step that a person would want to know of.
type plain struct {
	w      io.Writer
	start  time.Time
	ending bool              // as in board
	last   map[string]string // resource and kind -> its last line
}

func newPlain(w io.Writer, start time.Time, ending bool) *plain {
	return &plain{w, start, ending, map[string]string{}}
}

func (p *plain) event(e api.Event) {
	if p.ending && endingHides(e) {
		return
	}
	line := plainLine(e)
	key := format.Instance(e.Resource, e.Instance)
	before, told := p.last[key+string(e.Kind)]
	fewer := e.Kind == api.KindWaiting && told // what it waits for gets less one by one
	if line == "" || before == line || fewer {
		return
	}
	p.last[key+string(e.Kind)] = line
	if key != "" {
		line = key + ": " + line
	}
	fmt.Fprintf(p.w, "%6s  %s\n", elapsed(e.Time.Sub(p.start)), line)
}

// plainLine is what an event means, without its resource; empty: nothing worth a line.
func plainLine(e api.Event) string {
	switch e.Kind {
	case api.KindService, api.KindProcess:
		switch e.To {
		case "online", "healthy": // it is ready: that comes next
			return ""
		case "waiting", "running", "starting": // what it waits for, and then ready, say more
			return ""
		}
		return because(e.To, e)
	case api.KindReady:
		if e.To != "ready" {
			return "" // why has just been said
		}
		return because(e.To, e)
	case api.KindReload:
		return reloadText(e)
	case api.KindWaiting:
		if e.To == "" {
			return ""
		}
		return "waits for " + e.To
	case api.KindOp:
		if e.Message == "" || e.To == "done" {
			return ""
		}
		return stepText(e)
	case api.KindPull:
		return pullStep(e.Progress)
	case api.KindBuild:
		return strings.TrimRight(e.Message, "\n")
	case api.KindWarning:
		return "warning: " + e.Message
	}
	return ""
}

// reloadText is how far a reload has come.
func reloadText(e api.Event) string {
	words := map[string]string{
		"launched": "the new one starts beside the old one", "ready": "the new one is ready, and must stay so for a second",
		"serves": "the new one serves, the old one drains", "failed": "the new one failed, the old one goes on", "left": "the other one has gone",
	}
	return because(words[e.To], e)
}

// endingHides is whether an event says nothing while things are being ended: of course others now wait for them.
func endingHides(e api.Event) bool { return e.Kind == api.KindWaiting || e.Kind == api.KindReady }

// stepText is a step of a plan in words: "StartContainer service:redis" of redis is "start container".
func stepText(e api.Event) string {
	verb, object, _ := strings.Cut(e.Message, " ")
	var words strings.Builder
	for i, r := range verb {
		if i > 0 && unicode.IsUpper(r) {
			words.WriteByte(' ')
		}
		words.WriteRune(unicode.ToLower(r))
	}
	text := words.String()
	if _, name, ok := strings.Cut(object, ":"); ok {
		object = name
	}
	if object != "" && object != e.Resource {
		text += " " + object
	}
	if e.To == "failed" {
		return "failed: " + because(text, api.Event{Cause: e.Cause})
	}
	return text
}

// because adds why to what happened.
func because(what string, e api.Event) string {
	switch {
	case e.Message != "" && e.Message != what:
		return what + " (" + e.Message + ")"
	case e.Cause != "":
		return what + " (" + e.Cause + ")"
	}
	return what
}

// pullStep is a pull's progress in steps of a quarter, so that a log is not flooded.
func pullStep(p *api.Progress) string {
	switch {
	case p == nil || p.Total <= 0:
		return "pulling the image"
	case p.Current >= p.Total:
		return "pulled the image, " + format.Size(p.Total)
	}
	return fmt.Sprintf("pulling the image, %d %% of %s", p.Current*4/p.Total*25, format.Size(p.Total))
}
