package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
)

// logPrinter writes log records in the form that was asked for.
type logPrinter struct {
	*LogsOptions
	width int // of the names so far
}

// nameWidth is the longest name that can come; words may mean several apps, then it grows with them.
func nameWidth(words []string, s *api.State) int {
	width := 0
	add := func(name string, instance int) {
		if len(words) == 0 || slices.Contains(words, name) {
			width = max(width, len([]rune(format.Instance(name, instance))))
		}
	}
	for _, service := range s.Services {
		add(service.Name, 0)
	}
	for _, p := range s.Processes {
		add(p.Name, p.Instance)
	}
	return width
}

func (l *logPrinter) print(r api.LogRecord) error {
	if l.Grep != nil && !l.Grep.MatchString(r.Message) {
		return nil
	}
	_, err := fmt.Fprintln(l.IO.Out, l.line(r))
	return err
}

// line is a record as a line. A message keeps its own colours on a terminal.
func (l *logPrinter) line(r api.LogRecord) string {
	c := l.IO.OutStyle()
	message := r.Message
	if l.Highlight != "" && !l.JSON {
		message = strings.ReplaceAll(message, l.Highlight, c.paint("7", l.Highlight))
	}
	switch {
	case l.JSON:
		data, err := json.Marshal(r)
		if err != nil {
			return err.Error()
		}
		return string(data)
	case l.Raw:
		return message
	}
	name := format.Instance(r.AppName, r.Instance)
	l.width = max(l.width, len([]rune(name)))
	bar := "|"
	if r.Type == "err" {
		bar = c.red("!") // out and err can be told apart without colours, too
	}
	line := c.paint(appColor(r.AppName), pad(name, l.width)) + " " + bar + " " + message
	if l.Timestamp {
		line = c.dim(r.Timestamp.Local().Format("2006-01-02T15:04:05.000Z07:00")) + " " + line
	}
	return line
}

// appColor is the same colour for the same app in every terminal.
func appColor(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return [...]string{"36", "32", "35", "34", "33", "96", "92", "95", "94", "93"}[h.Sum32()%10]
}
