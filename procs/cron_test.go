package procs

import (
	"testing"
	"time"

	"devstack/stack"
	"devstack/view"
)

// PM2 starts what was stopped when its cron_restart is due.
func TestCronRestart(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		nightly, plain, stopped := testApp("nightly"), testApp("plain"), testApp("stopped")
		nightly.CronRestart = "CRON_TZ=UTC 0 3 * * *"
		stopped.CronRestart = nightly.CronRestart
		m.Apply([]stack.App{nightly, plain, stopped})
		m.Start("nightly", "plain", "stopped")
		wantState(t, m, "stopped", view.Launching)
		m.Stop("stopped")
		begun := time.Now().UTC() // synctest begins at midnight UTC
		pass(3*time.Hour - time.Second)
		if p := wantState(t, m, "nightly", view.Online); p.Restarts != 0 {
			t.Errorf("restarted %d times before 3:00, since %s", p.Restarts, begun)
		}
		pass(24 * time.Hour)
		p := wantState(t, m, "nightly", view.Online)
		if p.RestartsBy != (view.Restarts{Cron: 1}) || p.UnstableRestarts != 0 || !p.StartedAt.Equal(begun.Add(3*time.Hour)) {
			t.Errorf("restarts %+v, unstable %d, started at %s", p.RestartsBy, p.UnstableRestarts, p.StartedAt)
		}
		if len(p.Exits) != 1 || p.Exits[0].Reason != view.Cron || p.Exits[0].Cause != "cron: CRON_TZ=UTC 0 3 * * *" {
			t.Errorf("exits %+v", p.Exits)
		}
		wantState(t, m, "stopped", view.Stopped)
		if p := wantState(t, m, "plain", view.Online); p.Restarts != 0 {
			t.Errorf("an app without cron_restart was restarted: %+v", p.RestartsBy)
		}

		nightly.CronRestart, nightly.Hash = "", "2"
		m.Apply([]stack.App{nightly})
		pass(72 * time.Hour)
		if p := wantState(t, m, "nightly", view.Online); p.Restarts != 0 {
			t.Errorf("restarted although it is no longer asked for: %+v", p.RestartsBy)
		}
	})
}

// A script that runs once and is asked for every minute is PM2's way to a cron job.
func TestCronRunsAgainWhatHasEnded(t *testing.T) {
	fakeStack(t, func(t *testing.T, k *fakeKeeper, m *Manager) {
		k.dies, k.exitCode = time.Second, 0
		job := testApp("job")
		job.Autorestart, job.CronRestart = false, "*/10 * * * *"
		m.Apply([]stack.App{job})
		m.Start("job")
		pass(25 * time.Minute)
		wantState(t, m, "job", view.Stopped)
		wantCalls(t, k, "0s launch 1", "1s tree 1", "10m0s launch 2", "10m1s tree 2", "20m0s launch 3", "20m1s tree 3")
	})
}
