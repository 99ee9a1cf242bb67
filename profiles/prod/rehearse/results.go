package rehearse

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// results are the checks of one target, as they are found. No secret is in what somebody will read.
type results struct {
	target   string
	secrets  map[string]string
	progress io.Writer // nil: nobody reads along
	live     bool      // tell of every check at once: the next one may take minutes
	checks   []Check
}

func (o Options) results(target string) results {
	return results{target: target, secrets: o.Secrets, progress: o.Progress}
}

func (r *results) add(subject, claim string, verdict Verdict, took time.Duration, format string, args ...any) {
	c := Check{r.target, subject, claim, verdict, r.redact(fmt.Sprintf(format, args...)), took.Round(time.Millisecond)}
	r.checks = append(r.checks, c)
	if r.live {
		r.say("%s: %s: %s (%s)", c.Subject, c.Claim, c.Verdict, c.Detail)
	}
}

// judge adds a check that fails with err, or passes with what was seen.
func (r *results) judge(subject, claim string, took time.Duration, err error, seen string) {
	verdict := Passed
	if err != nil {
		verdict, seen = Failed, err.Error()
	}
	r.add(subject, claim, verdict, took, "%s", seen)
}

// say tells who reads along what is done next.
func (r *results) say(format string, args ...any) {
	if r.progress != nil {
		fmt.Fprintf(r.progress, r.target+": "+format+"\n", args...)
	}
}

func (r *results) redact(text string) string {
	for name, value := range r.secrets {
		if len(value) >= shortestSecret {
			text = strings.ReplaceAll(text, value, "<"+name+">")
		}
	}
	return text
}

func (r *results) redacted(err error) error {
	if err == nil {
		return nil
	}
	if clean := r.redact(err.Error()); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}
