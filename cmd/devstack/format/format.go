// Package format is how devstack's tables and its dashboard say the same thing in the same words: how long, how much, which
// instance, how it ended. It promises short text without colours; what has no value is "-".
package format

import (
	"fmt"
	"time"

	"devstack/view"
)

// Age is a duration in its largest unit, as PM2 shows uptimes.
func Age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// Uptime is the age of something that runs since at.
func Uptime(at *time.Time, running bool, now time.Time) string {
	if at == nil || !running {
		return "-"
	}
	return Age(now.Sub(*at))
}

// Size is a number of bytes, in units of 1024.
func Size(bytes int64) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%dB", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%dK", bytes>>10)
	case bytes < 1<<30:
		return fmt.Sprintf("%dM", bytes>>20)
	}
	return fmt.Sprintf("%.1fG", float64(bytes)/(1<<30))
}

// Usage is percent of one core and bytes.
func Usage(percent *float64, bytes *int64) (cpu, memory string) {
	cpu, memory = "-", "-"
	if percent != nil {
		cpu = fmt.Sprintf("%.0f%%", *percent)
	}
	if bytes != nil {
		memory = Size(*bytes)
	}
	return cpu, memory
}

// Instance is the name of one instance: the first one has its app's.
func Instance(name string, instance int) string {
	if instance == 0 {
		return name
	}
	return fmt.Sprintf("%s#%d", name, instance)
}

// Exit is how a launch ended.
func Exit(e view.Exit) string {
	text := "ended, status unknown"
	switch {
	case e.Signal != "":
		text = "ended by " + string(e.Signal)
	case e.Code != nil:
		text = fmt.Sprintf("exited with code %d", *e.Code)
	}
	if e.Reason != "" {
		text += " (" + string(e.Reason) + ")"
	}
	return text
}
