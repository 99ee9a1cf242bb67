package pilot_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// lost is what the promises do not cover of each fault, in words.
var lost = map[string]string{
	"keeper-killed": "lines in pipes and exit codes; every process is another one",
	"restarted":     "nothing: every process ends in peace",
	"log-disk-full": "lines for which there was no room, and that is said",
}

// survives does harm: bench/recovery does the same to every place in which the sample runs, and fails if a pipeline that is
// under way is lost or a process is restarted for no reason. DEVSTACK_ROUNDS is how often, DEVSTACK_FIGURES a file to which
// its figures are added.
func (s *stack) survives() {
	for _, fault := range s.faults() {
		out := s.run("cd / && HOME=/var/lib/devstack REDIS_PORT=%d POSTGRES_PORT=%d /root/v1/recovery -C %s -place 'pilot, %s' -devstack /usr/local/bin/devstack "+
			"-unit %s.service -log-disk %s -rounds %s -only %s", s.redis, s.postgres, at, s.infra, s.project, logs, cmp.Or(os.Getenv("DEVSTACK_ROUNDS"), "1"), fault)
		if name := os.Getenv("DEVSTACK_FIGURES"); name != "" {
			s.addTo(name, out+"\n")
		}
		var figure struct{ MS []int64 }
		if err := json.Unmarshal([]byte(out), &figure); err != nil || len(figure.MS) == 0 {
			s.t.Fatalf("%s: %v\n%s", fault, err, out)
		}
		slices.Sort(figure.MS)
		s.took(fault, time.Duration(figure.MS[len(figure.MS)/2])*time.Millisecond, cmp.Or(lost[fault], "nothing"))
	}
	s.hungKeeper()
}

func (s *stack) addTo(name, text string) {
	s.t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// faults are those that root of the machine can do: containers are processes of its host.
func (s *stack) faults() []string {
	all := []string{
		"agent-killed", "orchestrator-killed", "orchestrator-hangs", "daemon-killed", "daemon-hangs", "keeper-killed", "restarted", "log-disk-full",
	}
	if s.infra == "docker" {
		return append(all, "redis-removed")
	}
	return append(all, "redis-killed", "postgres-killed")
}

// hungKeeper: what watches everything else is watched by systemd.
func (s *stack) hungKeeper() {
	const watchdog = 6 // seconds, instead of the unit's 60
	s.run("mkdir -p /etc/systemd/system/%[1]s.service.d && printf '[Service]\nWatchdogSec=%[2]d\n' >/etc/systemd/system/%[1]s.service.d/watchdog.conf && "+
		"systemctl daemon-reload && systemctl restart %[1]s", s.project, watchdog)
	keeper := s.unit("MainPID")
	began := time.Now()
	s.run("kill -STOP %s", keeper)
	waitFor(s.t, "systemd starts the stack again", func() error {
		now, err := s.try(fmt.Sprintf("systemctl show -P MainPID -P ActiveState %s.service", s.project))
		if err == nil && (strings.Contains(now, keeper+"\n") || !strings.Contains(now, "\nactive")) {
			err = fmt.Errorf("the unit is %s", s.journal())
		}
		return err
	})
	s.took(fmt.Sprintf("the keeper hangs (SIGSTOP), with WatchdogSec=%d", watchdog), time.Since(began), "as after its kill -9")
	s.mustBeReady()
	s.completes(s.submit())
	s.run("rm -r /etc/systemd/system/%[1]s.service.d && systemctl daemon-reload && systemctl restart %[1]s", s.project)
	s.mustBeReady()
}
