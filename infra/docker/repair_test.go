package docker

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"devstack/infra"
	"devstack/view"
)

// say sends one command to the fixture's redis and returns its one-line answer.
func (f *fixture) say(command string) string {
	f.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", f.env["REDIS_PORT"]))
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, command+"\r\n")
	in := bufio.NewScanner(conn)
	in.Scan()
	if strings.HasPrefix(in.Text(), "$") && in.Text() != "$-1" {
		in.Scan()
	}
	return in.Text()
}

// back waits until redis is ready in a later start than before.
func (f *fixture) back(i *infra.Infra, before view.ServiceDetails) view.ServiceDetails {
	f.Helper()
	return f.until("redis is back", i, func(all map[string]view.ServiceDetails) bool {
		s := all["redis"]
		return s.Ready && (s.ID != before.ID || s.StartedAt.After(*before.StartedAt))
	})["redis"]
}

func TestARemovedContainerComesBackWithItsData(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	if got := f.say("SET kept yes"); got != "+OK" {
		t.Fatalf("SET: %q", got)
	}
	f.docker("rm", "-f", string(before.ID))
	after := f.back(i, before)
	if after.ID == before.ID {
		t.Errorf("the container has its old ID %s", after.ID)
	}
	if got := f.say("GET kept"); got != "yes" {
		t.Errorf("GET after the repair: %q, want yes", got)
	}
	if after.StoppedBy != "" || after.Restarts != 1 || len(after.Exits) != 1 || after.Exits[0].Reason != view.Crash {
		t.Errorf("stopped by %q, %d restarts, exits %+v; want nobody, 1 restart and one exit that nobody asked for", after.StoppedBy, after.Restarts, after.Exits)
	}
}

func TestDockerKillIsRepaired(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	f.docker("kill", string(before.ID))
	after := f.back(i, before)
	if after.ID != before.ID || after.Restarts != 1 || *after.Exits[0].Code != 137 || len(after.Exits[0].LastLines) == 0 {
		t.Errorf("after docker kill: %+v", after)
	}
}

func TestDockerStopIsRespectedAndUpStartsAgain(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	f.docker("stop", string(before.ID))
	s := f.until("redis is stopped by other", i, func(all map[string]view.ServiceDetails) bool { return all["redis"].StoppedBy == "other" })["redis"]
	if s.State != "exited" || s.Ready || s.Health != view.HealthStopped || i.Stopped()["redis"] != "other" {
		t.Errorf("after docker stop: %+v", s)
	}
	f.docker("rm", string(before.ID))
	s = f.until("redis is absent", i, func(all map[string]view.ServiceDetails) bool { return all["redis"].State == "absent" })["redis"]
	if s.StoppedBy != "other" {
		t.Errorf("after docker rm it is stopped by %q, want other", s.StoppedBy)
	}
	f.up(i)
	if s = f.back(i, before); s.StoppedBy != "" {
		t.Errorf("after up it is stopped by %q, want nobody", s.StoppedBy)
	}
}

func TestStopAndRestartAreDevstacks(t *testing.T) {
	f := newFixture(t, redisOnly)
	i := f.infra()
	f.up(i)
	before := f.ready(i)["redis"]
	if err := i.Restart(f.ctx, "redis"); err != nil {
		t.Fatal(err)
	}
	after := f.back(i, before)
	if after.ID != before.ID || len(after.Exits) != 1 || after.Exits[0].Reason != view.Manual {
		t.Errorf("after restart: %+v", after)
	}
	if err := i.Stop(f.ctx, "redis"); err != nil {
		t.Fatal(err)
	}
	if s := i.Snapshot()[0]; s.StoppedBy != "devstack" || s.State != "exited" || s.Ready || s.Health != view.HealthStopped {
		t.Errorf("after stop: %+v", s)
	}
	if err := i.Start(f.ctx, "redis"); err != nil {
		t.Fatal(err)
	}
	f.back(i, after)
}

func TestAKilledProcessIsRepaired(t *testing.T) {
	for _, policy := range []string{"", "    restart: always\n"} {
		name := "devstack"
		if policy != "" {
			name = "engine"
		}
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, strings.Replace(redisOnly, "    image:", policy+"    image:", 1))
			i := f.infra()
			f.up(i)
			before := f.ready(i)["redis"]
			pid, err := strconv.Atoi(f.docker("inspect", "-f", "{{.State.Pid}}", string(before.ID)))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			after := f.back(i, before)
			if after.ID != before.ID || after.Restarts != 1 || after.StoppedBy != "" || len(after.Exits) != 1 {
				t.Errorf("after kill -9: %+v", after)
			}
		})
	}
}

func TestResumeRepairsWhatDiedUnwatchedAndLeavesWhatWasStopped(t *testing.T) {
	f := newFixture(t, sample)
	first := f.infra()
	f.up(first)
	before := f.ready(first)
	last := before["redis"].StartedAt
	first.Close()
	f.docker("kill", string(before["redis"].ID))
	f.docker("stop", string(before["postgres"].ID))

	second := f.infra()
	if err := second.Resume(f.ctx, f.load(), map[string]string{}, nil, *last); err != nil {
		t.Fatal(err)
	}
	f.back(second, before["redis"])
	for _, s := range second.Snapshot() {
		if s.Name == "postgres" && (s.StoppedBy != "other" || s.State != "exited") {
			t.Errorf("postgres was stopped while nobody watched: %+v", s)
		}
	}
}
