package probe

import (
	"context"
	"fmt"
	"regexp"
	"sync"
)

// Lines returns the next line of an output, and false if there is none yet. The owner of the output closes it.
type Lines func() (line string, ok bool)

// LogLine is ready from the first line that matches, and stays ready: a program says only once that it is up.
// It reads each line once, so one LogLine serves one launch.
func LogLine(next Lines, pattern *regexp.Regexp) Probe {
	var mu sync.Mutex // guards found and the calls of next
	var found *string
	return Func(func(ctx context.Context) Result {
		mu.Lock()
		defer mu.Unlock()
		for found == nil && ctx.Err() == nil {
			line, ok := next()
			if !ok {
				break
			}
			if pattern.MatchString(line) {
				found = &line
			}
		}
		if found == nil {
			return Result{Detail: fmt.Sprintf("no log line matches %q yet", pattern)}
		}
		return Result{Ready: true, Alive: true, By: LogLined, Detail: "log line: " + *found}
	})
}
