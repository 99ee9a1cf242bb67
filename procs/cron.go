package procs

import (
	"time"

	"devstack/stack"
)

// cron waits for the next time that cron_restart names. Nothing of it is stored: what was due while no daemon ran is not
// made up for. The supervisor's goroutine alone uses it.
type cron struct {
	wake  func()      // is called when somebody has to look whether the time has passed
	timer *time.Timer // nil: cron_restart was never set
	due   time.Time   // zero: never
}

// arm waits for the next time that a definition names.
func (c *cron) arm(app stack.App) {
	c.due = app.NextCronRestart(time.Now())
	c.await()
}

// await looks at the clock at least once a minute, because clocks are set and machines sleep.
func (c *cron) await() {
	c.stop()
	if !c.due.IsZero() {
		c.timer = time.AfterFunc(min(max(time.Until(c.due), 0), time.Minute), c.wake)
	}
}

// passed says whether the time has passed, and waits for the next one.
func (c *cron) passed(app stack.App) bool {
	if c.due.IsZero() {
		return false // the definition has changed meanwhile
	}
	now := time.Now().Round(0)
	next := app.NextCronRestart(now)
	passed := !now.Before(c.due)
	if passed || next.Before(c.due) { // before: the clock was set back
		c.due = next
	}
	c.await()
	return passed
}

func (c *cron) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
}
