package infra

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/view"
)

func TestWhatHadAnsweredIsBroughtBack(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db").with("db", checked))
		is(t, i, "db", "after up", "running", view.HealthHealthy, "healthcheck")
		d.lines = []string{"last words"}
		d.exit("db", 1)
		pass(firstRepair / 2)
		is(t, i, "db", "in the pause", "exited", view.HealthStarting, "")
		pass(time.Second)
		s := is(t, i, "db", "after the repair", "running", view.HealthHealthy, "healthcheck")
		if s.Restarts != 1 || len(s.Exits) != 1 || s.Exits[0].Reason != view.Crash || !slices.Equal(s.Exits[0].LastLines, d.lines) {
			t.Errorf("%d restarts, exits %+v", s.Restarts, s.Exits)
		}
		d.mu.Lock()
		d.remove(d.of("db").ID, false)
		d.mu.Unlock()
		pass(time.Second)
		if s = is(t, i, "db", "after it was removed", "running", view.HealthHealthy, "healthcheck"); s.Restarts != 2 || d.count("create db") != 2 {
			t.Errorf("%d restarts, %d containers", s.Restarts, d.count("create db"))
		}
	})
}

func TestRepairsWaitLongerEachTime(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db").with("db", checked))
		began := time.Now()
		for range 5 {
			starts := d.count("start db")
			d.exit("db", 1)
			for d.count("start db") == starts {
				pass(time.Millisecond)
			}
		}
		if waited := time.Since(began); waited < 3*time.Second { // 0.1 + 0.2 + 0.4 + 0.8 + 1.6
			t.Errorf("five quick deaths were repaired within %s", waited)
		}
	})
}

func TestWhatEndsByItselfRunsOnce(t *testing.T) {
	for name, code := range map[string]int{"with 0": 0, "with 3": 3} {
		kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
			p := servicesOf("seed", "helper")
			p.OneShots = []string{"seed"}
			up(t, i, p)
			is(t, i, "seed", name+", at work", "running", view.HealthStarting, "")
			is(t, i, "helper", name+", at work", "running", view.HealthRunning, "running")
			d.exit("seed", code)
			d.exit("helper", code)
			pass(time.Hour)
			for _, service := range []string{"seed", "helper"} {
				if code == 0 {
					is(t, i, service, name, "exited", view.HealthCompleted, "completed")
				} else if s := is(t, i, service, name, "exited", view.HealthUnhealthy, ""); !strings.Contains(s.Detail, "exit code 3") {
					t.Errorf("%s says %q", service, s.Detail)
				}
			}
			if code == 0 {
				up(t, i, p)
			}
			if n := d.count("start seed") + d.count("start helper"); n != 2 {
				t.Errorf("%s: started %d times, want each once", name, n)
			}
		})
	}
}

// An initialisation that failed is the first cause. A second start would skip it, and its data would count as whole.
func TestAnInitialisationThatFailed(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		p := servicesOf("db").with("db", checked).with("db", func(s *types.ServiceConfig) {
			s.Volumes = []types.ServiceVolumeConfig{{Type: "volume", Source: "pg", Target: "/data"}}
		})
		p.Volumes["pg"] = types.VolumeConfig{Name: "p_pg"}
		d.checks = func() (probe.Execution, error) { return probe.Execution{Code: 1}, nil }
		up(t, i, p)
		d.lines = []string{`ERROR:  relation "nope" does not exist`}
		d.exit("db", 3)
		pass(time.Hour)
		s := is(t, i, "db", "after it failed", "exited", view.HealthUnhealthy, "")
		if d.count("start db") != 1 || !slices.Equal(s.Exits[0].LastLines, d.lines) || !strings.Contains(s.Detail, "devstack down -v starts over") {
			t.Errorf("started %d times; %s; %q", d.count("start db"), s.Detail, s.Exits[0].LastLines)
		}
		err := i.Up(t.Context(), p, nil)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Failed || e.Service != "db" || d.count("start db") != 1 {
			t.Errorf("a second up: %v, started %d times", err, d.count("start db"))
		}
		d.checks = nil
		if err := i.Start(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		is(t, i, "db", "after an explicit start", "running", view.HealthHealthy, "healthcheck")
	})
}

// A container can die while an `up` takes its service out of the file.
func TestADeathOfWhatIsNotKeptAnyMore(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db", "gone"))
		c := *d.of("gone")
		i.adopt(servicesOf("db"))
		i.follower.died(t.Context(), EngineEvent{Container: c.ID, Service: c.Service, At: time.Now(), Action: "die"}, Told{c.ID, time.Now()})
		d.exit("gone", 1)
		pass(time.Second)
		is(t, i, "db", "beside it", "running", view.HealthRunning, "running")
	})
}

// An image that is not to be had is found out before anything that is kept is touched.
func TestAPullThatFailsLeavesEverythingAsItWas(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("redis").with("redis", checked))
		d.missing["cache:1"] = true
		_, err := i.Pull(t.Context(), servicesOf("cache"))
		var e *Error
		if !errors.As(err, &e) || e.Kind != NoImage {
			t.Errorf("pull: %v", err)
		}
		is(t, i, "redis", "after the pull that failed", "running", view.HealthHealthy, "healthcheck")
		d.exit("redis", 1)
		pass(time.Second)
		is(t, i, "redis", "after its death", "running", view.HealthHealthy, "healthcheck")
	})
}

func TestUpTakesWhatPullHas(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		p := servicesOf("db").with("db", func(s *types.ServiceConfig) { s.PullPolicy = "always" })
		have, err := i.Pull(t.Context(), p)
		if err == nil {
			err = i.Up(t.Context(), p, have)
		}
		if err != nil || d.count("pull db:1") != 1 {
			t.Errorf("pulled %d times (%v), want once", d.count("pull db:1"), err)
		}
	})
}

func TestDownRemovesVolumesOnlyWhenAsked(t *testing.T) {
	for _, asked := range []bool{false, true} {
		kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
			p := servicesOf("db").with("db", func(s *types.ServiceConfig) {
				s.Volumes = []types.ServiceVolumeConfig{{Type: "volume", Source: "pg", Target: "/data"}}
			})
			p.Volumes["pg"] = types.VolumeConfig{Name: "p_pg"}
			up(t, i, p)
			d.volumes["theirs"] = Volume{Name: "theirs", Labels: map[string]string{LabelProject: "q"}}
			if err := i.Down(t.Context(), p.Project, "p", asked); err != nil {
				t.Fatal(err)
			}
			_, kept := d.volumes["p_pg"]
			_, theirs := d.volumes["theirs"]
			anonymous := d.count("remove db, with its volumes: true") == 1
			if kept == asked || !theirs || anonymous != asked {
				t.Errorf("down, volumes asked for: %t: its volume is kept: %t, anonymous ones are removed: %t, another project's is kept: %t", asked, kept, anonymous, theirs)
			}
			is(t, i, "db", "after down", view.Absent, view.HealthStopped, view.ByDevstack)
			pass(time.Hour)
			if d.count("start db") != 1 {
				t.Error("it was started again")
			}
		})
	}
}

// What is ready is asked once more before a process's exit counts, and closes the gates if it does not answer.
func TestConfirm(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		var down atomic.Bool
		up(t, i, servicesOf("db", "other"))
		i.apply("db", func(s *supervisor) Event { // as if it were asked over a published port
			s.checks.server = newCheck(probe.Func(func(context.Context) probe.Result {
				return probe.Result{Ready: !down.Load(), Detail: "PING -> PONG"}
			}), probe.Containers()).by(probe.Pong)
			s.checks.server.outside = true
			// A loaded machine: its healthcheck would not end in time now. It has passed in this very run.
			s.checks.own = newCheck(probe.Func(func(context.Context) probe.Result { return probe.Result{Detail: "no answer in time"} }), probe.Containers())
			return nil
		})
		i.Confirm(t.Context(), "db", "other", "nobody")
		is(t, i, "db", "while it answers", "running", view.HealthRunning, "running")
		down.Store(true)
		i.Confirm(t.Context(), "db")
		is(t, i, "db", "while it does not", "running", view.HealthStarting, "")
		down.Store(false)
		pass(time.Second)
		if !one(t, i, "db").Ready {
			t.Error("it answers again, and is not ready")
		}
	})
}

// An engine on its way down stops containers, and that is nobody's decision.
func TestAnEngineThatGoesAwayAndComesBack(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db").with("db", checked))
		if err := d.StopContainer(t.Context(), d.of("db").ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		is(t, i, "db", "as the engine goes", "exited", view.HealthStopped, view.ByOther)
		d.cut(true)
		pass(time.Minute)
		is(t, i, "db", "while it is away", "exited", view.HealthStopped, "")
		d.cut(false)
		pass(time.Minute)
		is(t, i, "db", "after its return", "running", view.HealthHealthy, "healthcheck")
	})
}

func TestStoppedStaysStopped(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db").with("db", checked))
		if err := i.Stop(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		s := is(t, i, "db", "after stop", "exited", view.HealthStopped, view.ByDevstack)
		if len(s.Exits) != 1 || s.Exits[0].Reason != view.Manual {
			t.Errorf("its exits are %+v", s.Exits)
		}
		pass(time.Hour)
		is(t, i, "db", "an hour later", "exited", view.HealthStopped, view.ByDevstack)
		if err := i.Restart(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		is(t, i, "db", "after restart", "running", view.HealthHealthy, "healthcheck")
	})
}

// A repair under way must not start what is being stopped.
func TestStopEndsARepair(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db").with("db", checked))
		d.exit("db", 1)
		synctest.Wait()
		if err := i.Stop(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if d.count("start db") != 1 {
			t.Errorf("started %d times", d.count("start db"))
		}
		if s := one(t, i, "db"); len(s.Exits) != 1 || s.Exits[0].Reason != view.Crash {
			t.Errorf("its crash has become %+v", s.Exits)
		}
	})
}

// A start that the engine is about to carry out cannot be taken back: stop waits for it, and ends what it has started.
func TestStopWaitsForARepairUnderWay(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		up(t, i, servicesOf("db").with("db", checked))
		d.hold = make(chan struct{})
		d.exit("db", 1)
		pass(time.Second)
		stopped := make(chan error)
		go func() { stopped <- i.Stop(t.Context(), "db") }()
		synctest.Wait()
		close(d.hold)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		is(t, i, "db", "after stop", "exited", view.HealthStopped, view.ByDevstack)
	})
}

func TestBootStartsWhatNobodyHadStopped(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		p := servicesOf("ours", "theirs", "worker").with("worker", checked)
		up(t, i, p)
		for _, name := range []string{"ours", "theirs", "worker"} {
			d.exit(name, 0)
		}
		pass(time.Minute)
		next := New(d, i.log, func(view.Event) {})
		defer next.Close()
		if err := next.Boot(t.Context(), p, map[string]string{"theirs": view.ByOther}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		is(t, next, "ours", "after a boot", "running", view.HealthRunning, "running")
		is(t, next, "worker", "after a boot", "running", view.HealthHealthy, "healthcheck")
		is(t, next, "theirs", "after a boot", "exited", view.HealthStopped, view.ByOther)
	})
}

// The next daemon shows at once what was ready, before anything has been asked.
func TestReadinessOutlivesTheDaemon(t *testing.T) {
	kept(t, func(t *testing.T, i *Infra, d *engineDouble) {
		p := servicesOf("db").with("db", checked)
		up(t, i, p)
		answers := i.Answers()
		i.Close()
		d.mu.Lock()
		d.checks = func() (probe.Execution, error) { return probe.Execution{}, errNoCall } // nothing answers meanwhile
		d.mu.Unlock()
		next := New(d, slog.New(slog.DiscardHandler), func(view.Event) {})
		defer next.Close()
		if err := next.Resume(t.Context(), p, nil, answers, time.Now()); err != nil {
			t.Fatal(err)
		}
		is(t, next, "db", "at once", "running", view.HealthHealthy, "healthcheck")
	})
}
