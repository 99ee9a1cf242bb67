package procs

import (
	"time"
)

// armCron makes the supervisor wait for the next time that cron_restart names. Nothing of it is stored: what was due
// while no daemon ran is not made up for.
func (s *supervisor) armCron() {
	s.cronDue = s.app.NextCronRestart(time.Now())
	s.awaitCron()
}

// awaitCron looks at the clock at least once a minute, because clocks are set and machines sleep.
func (s *supervisor) awaitCron() {
	s.stopCron()
	if s.cronDue.IsZero() {
		return
	}
	s.cron = time.AfterFunc(min(max(time.Until(s.cronDue), 0), time.Minute), func() { s.inbox.put(s.lookAtClock) })
}

func (s *supervisor) lookAtClock() {
	now := time.Now().Round(0)
	next := s.app.NextCronRestart(now)
	switch {
	case s.cronDue.IsZero():
		return // the definition has changed meanwhile
	case !now.Before(s.cronDue):
		s.cronDue = next
		s.step(CronDue{}, s.app.CronRestart)
	case next.Before(s.cronDue): // the clock was set back
		s.cronDue = next
	}
	s.awaitCron()
}

func (s *supervisor) stopCron() {
	if s.cron != nil {
		s.cron.Stop()
	}
}
