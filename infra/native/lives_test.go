package native

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devstack/infra"
	keeper "devstack/procs/keeper/protocol"
	"devstack/procs/proc"
	"devstack/view"
)

// gone waits for the end of a process that need not be our child.
func gone(t *testing.T, r record) {
	t.Helper()
	if err := waitEnd(t.Context(), r.Pid, r.Start); err != nil {
		t.Fatal(err)
	}
}

// repaired waits until a service is ready in another process than before.
func (f *fixture) repaired(before record) {
	f.Helper()
	f.until(before.Service+" is repaired", func(all []view.ServiceDetails) bool {
		for _, s := range all {
			if s.Name == before.Service {
				return s.Ready && s.Restarts > 0 && s.StartedAt.After(before.StartedAt)
			}
		}
		return false
	})
	if r := f.record(before.Service); r.Pid == before.Pid || !f.driver.servers.layout.alive(r) {
		f.Errorf("%+v", r)
	}
}

func TestKilledServerIsRepaired(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	f.say("SET answer 42")
	f.query("agentic", "agentic_sdlc", "CREATE TABLE t AS SELECT 42 AS answer")
	for _, name := range []string{"redis", "postgres"} {
		f.repaired(f.kill(name, syscall.SIGKILL))
		s := f.service(name)
		if s.Restarts != 1 || len(s.Exits) != 1 || *s.Exits[0].Code != 137 || s.Exits[0].Reason != view.Crash || len(s.Exits[0].LastLines) == 0 {
			t.Errorf("%+v", s)
		}
	}
	f.checkData()
	if list, err := f.conn.List(f.ctx); err != nil || len(list) != 2 {
		t.Errorf("an exit was not acked: %+v, %v", list, err)
	}
}

func TestServerThatWasAskedToEndStaysDown(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	f.kill("postgres", syscall.SIGINT)
	f.kill("redis", syscall.SIGTERM)
	for _, s := range f.until("both are stopped", func(all []view.ServiceDetails) bool {
		return all[0].StoppedBy != "" && all[1].StoppedBy != ""
	}) {
		if s.StoppedBy != "other" || s.State != "exited" {
			t.Errorf("%+v", s)
		}
	}
	if err := f.infra.Start(f.ctx, "redis"); err != nil {
		t.Fatal(err)
	}
	if err := f.infra.Start(f.ctx, "postgres"); err != nil {
		t.Fatal(err)
	}
	f.ready()
}

// A backend that works on when its postmaster is killed keeps the data.
func TestKilledPostmasterWithBusyBackend(t *testing.T) {
	f := newFixture(t, strings.Replace(postgresOnly, "image: postgres\n", "image: postgres\n    command: -c restart_after_crash=on\n", 1))
	f.up()
	c := f.login("postgres", "postgres")
	if _, err := c.Exec(f.ctx, "CREATE FUNCTION busy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LOOP NULL; END LOOP; END $$").ReadAll(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = c.Exec(f.ctx, "SELECT busy()").ReadAll() }()
	f.untilQuery("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT busy()'", "1")
	before := f.kill("db", syscall.SIGKILL)
	gone(t, before)
	if !f.place("db").locked() {
		t.Error("the backend has ended with its postmaster: this test tests nothing")
	}
	f.repaired(before)
}

func (f *fixture) untilQuery(sql, want string) {
	f.Helper()
	for f.query("postgres", "postgres", sql) != want {
		if f.ctx.Err() != nil {
			f.Fatalf("%s is never %s", sql, want)
		}
	}
}

// A stale postmaster.pid may name a program that has that pid by now.
func TestStalePidFile(t *testing.T) {
	f := newFixture(t, postgresOnly)
	f.up()
	if err := f.infra.Stop(f.ctx, "db"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.place("db").data(), "postmaster.pid")
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := f.infra.Start(f.ctx, "db"); err != nil {
		t.Fatal(err)
	}
	f.ready()
}

func (f *fixture) resume(stopped map[string]string, since time.Time) {
	f.Helper()
	f.attach()
	if err := f.infra.Resume(f.ctx, infra.Project{Project: f.project()}, stopped, nil, since); err != nil {
		f.Fatal(err)
	}
}

// What ends while no daemon runs is judged by the next one: the keeper has kept the exits.
func TestDeathWithoutDaemon(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	since := time.Now()
	f.detach()
	killed, asked := f.kill("postgres", syscall.SIGKILL), f.kill("redis", syscall.SIGTERM)
	gone(t, killed)
	gone(t, asked)
	f.resume(nil, since)
	f.repaired(killed)
	if s := f.service("redis"); s.StoppedBy != "other" || s.State != "exited" {
		t.Errorf("%+v", s)
	}
}

func TestServersOutliveTheKeeperAndAreAdopted(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	redis, postgres := f.record("redis"), f.record("postgres")
	since := time.Now()
	f.shutdown()
	if err := keeperSpawn(f); err != nil {
		t.Fatal(err)
	}
	f.resume(nil, since)
	f.ready()
	if f.record("redis").Pid != redis.Pid || f.record("postgres").Pid != postgres.Pid {
		t.Error("the servers were started anew")
	}
	f.kill("postgres", syscall.SIGINT) // not the keeper's child
	f.until("postgres is stopped", func([]view.ServiceDetails) bool { return f.service("postgres").StoppedBy == "other" })
	if err := f.infra.Start(f.ctx, "postgres"); err != nil {
		t.Fatal(err)
	}
	f.ready()
	f.repaired(f.kill("redis", syscall.SIGKILL))
	if err := f.infra.Restart(f.ctx, "postgres"); err != nil {
		t.Fatal(err)
	}
	f.ready()
	if f.record("postgres").Pid == postgres.Pid {
		t.Error("postgres was not restarted")
	}
}

func keeperSpawn(f *fixture) error {
	_, err := keeper.Spawn(f.spawn)
	return err
}

func (f *fixture) keeperPid() int {
	f.Helper()
	id, _, err := f.conn.Hello(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	return id.Pid
}

func TestEverythingKilledAtOnce(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	f.say("SET answer 42")
	f.query("agentic", "agentic_sdlc", "CREATE TABLE t AS SELECT 42 AS answer")
	since := time.Now()
	pid := f.keeperPid()
	f.detach()
	for _, p := range []int{pid, f.record("redis").Pid, f.record("postgres").Pid} {
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := keeper.WaitGone(f.ctx, f.spawn.Dir, f.spawn.StateDir); err != nil {
		t.Fatal(err)
	}
	if err := keeperSpawn(f); err != nil {
		t.Fatal(err)
	}
	f.resume(nil, since)
	f.ready()
	f.checkData()
}

func TestKeeperToldByASignalEndsServers(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	redis, postgres := f.record("redis"), f.record("postgres")
	if err := syscall.Kill(f.keeperPid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	gone(t, redis)
	gone(t, postgres)
	f.detach()
	if err := keeper.WaitGone(f.ctx, f.spawn.Dir, f.spawn.StateDir); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(f.place("postgres").log()); !strings.Contains(string(text), "database system is shut down") {
		t.Errorf("%s", text)
	}
	f.start()
	f.up()
}

// A launch whose daemon died before it could write the pid down is found by what the server has written.
func TestLaunchThatNobodyRecorded(t *testing.T) {
	for _, keeperLives := range []bool{true, false} {
		t.Run(fmt.Sprintf("keeper lives: %v", keeperLives), func(t *testing.T) {
			f := newFixture(t, both)
			f.up()
			since := time.Now()
			want := map[string]record{}
			for _, name := range []string{"redis", "postgres"} {
				r := f.record(name)
				want[name] = r
				r.State, r.Pid, r.Start = starting, 0, 0
				if err := f.driver.servers.layout.save(r); err != nil {
					t.Fatal(err)
				}
			}
			if keeperLives {
				f.detach()
			} else {
				f.shutdown()
				if err := keeperSpawn(f); err != nil {
					t.Fatal(err)
				}
			}
			f.resume(nil, since)
			f.ready()
			for name, r := range want {
				if got := f.record(name); got.Pid != r.Pid || got.Start != r.Start {
					t.Errorf("%s: %+v, want pid %d", name, got, r.Pid)
				}
			}
		})
	}
}

func TestWithoutKeeperServersCanBeEnded(t *testing.T) {
	f := newFixture(t, redisOnly)
	f.up()
	before := f.record("redis")
	f.detach()
	d, err := Connect(Options{ID: f.spawn.ID, Environ: f.environ, Log: f.driver.servers.log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	all, err := infra.Look(f.ctx, d, infra.Project{Project: f.project()})
	if err != nil || !all[0].Ready {
		t.Fatalf("%+v, %v", all, err)
	}
	i := infra.New(d, f.driver.servers.log, func(view.Event) {})
	defer i.Close()
	if err := i.Down(f.ctx, nil, f.env["PROJECT"], true); err != nil {
		t.Fatal(err)
	}
	gone(t, before)
	f.attach()
}

// A record that the machine's sudden end has torn costs a restart of its server, and none of its data.
func TestDamagedRecord(t *testing.T) {
	f := newFixture(t, both)
	f.up()
	f.query("agentic", "agentic_sdlc", "CREATE TABLE kept (n int)")
	before, since := f.record("postgres"), time.Now()
	f.detach()
	path := f.driver.servers.layout.recordPath(f.env["PROJECT"], before.ID)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.resume(nil, since)
	f.up()
	f.query("agentic", "agentic_sdlc", "INSERT INTO kept VALUES (1)")
	if now := f.record("postgres"); now.ID == before.ID || now.Pid == before.Pid || proc.Runs(before.Pid, before.Start) {
		t.Errorf("it was %+v and is %+v", before, now)
	}
	log, _ := os.ReadFile(f.place("postgres").log())
	if n := bytes.Count(log, []byte("database system is shut down")); n != 1 || bytes.Contains(log, []byte("not properly shut down")) {
		t.Errorf("it did not end in order:\n%s", log)
	}
}

// A stop is recorded before the server is asked to end: when the daemon dies between, nobody takes the end for a crash.
func TestStopThatItsDaemonDoesNotSurvive(t *testing.T) {
	f := newFixture(t, redisOnly)
	f.up()
	since := time.Now()
	before := f.kill("redis", syscall.SIGSTOP) // it cannot end in order
	impatient, cancel := context.WithCancel(f.ctx)
	cancel()
	if err := f.driver.StopContainer(impatient, before.ID); err == nil {
		t.Error("the stop has not waited")
	}
	f.detach()
	f.kill("redis", syscall.SIGKILL) // as the stop would have done after the grace period
	gone(t, before)
	f.resume(nil, since)
	f.until("redis is stopped", func(all []view.ServiceDetails) bool { return all[0].StoppedBy != "" && all[0].State == "exited" })
	if now := f.record("redis"); now.Generation != before.Generation {
		t.Errorf("it was launched again: %+v", now)
	}
}

// Who follows a life that has ended writes nothing over the record of the next one.
func TestLateWatcherLeavesNewerLaunchAlone(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	d, err := Connect(Options{ID: "0123456789ab", Environ: []string{"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CACHE_HOME=" + home}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	process := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	pid := process.Process.Pid
	r := record{ID: newID(), Project: "p", Service: "s", State: running, Pid: pid, Start: proc.StartTime(pid), Generation: 1}
	if err := d.servers.layout.save(r); err != nil {
		t.Fatal(err)
	}
	l := d.servers.follow(t.Context(), r)
	newer := r
	newer.Generation = 2
	if err := d.servers.layout.save(newer); err != nil {
		t.Fatal(err)
	}
	_ = process.Process.Kill()
	_ = process.Wait()
	<-l.over
	if now, err := d.servers.layout.load(r.ID); err != nil || now.State != running || now.Generation != 2 {
		t.Errorf("%+v, %v", now, err)
	}
}
