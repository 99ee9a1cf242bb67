package infra

import (
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/probe"
	"devstack/view"
)

func TestOthersTellWhatTheySee(t *testing.T) {
	var told []string
	o := &Others{
		list:    []view.ServiceDetails{view.NewService("redis")},
		publish: func(e view.Event) { told = append(told, e.Resource+" "+e.To) },
	}
	for _, r := range []probe.Result{{Detail: "refused"}, {Ready: true}, {Ready: true}, {Detail: "gone"}} {
		o.saw(0, r)
	}
	if want := []string{"redis ready", "redis not ready"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if s := o.Snapshot()[0]; s.Ready || s.Health != view.HealthStarting || s.Detail != "gone" || len(s.Probes) != 4 {
		t.Errorf("%+v", s)
	}
	o.saw(0, probe.Result{Broken: true})
	if s := o.Snapshot()[0]; s.Health != view.HealthUnhealthy {
		t.Errorf("a wrong password is %s", s.Health)
	}
}

// publishing is a project of services, each with its image and the port of this host that it publishes; 0: none.
func publishing(port map[string]int) Project {
	p := servicesOf()
	for name, n := range port {
		s := types.ServiceConfig{Name: name}
		s.Image = name
		if n != 0 {
			s.Ports = []types.ServicePortConfig{{Target: 6379, Published: strconv.Itoa(n), HostIP: "127.0.0.1", Protocol: "tcp"}}
		}
		p.Services[name] = s
	}
	return p
}

// The others are asked over their published ports; what has none is taken for ready, and not called healthy.
func TestOthersAreAskedNow(t *testing.T) {
	o := Watch(publishing(map[string]int{"redis": 1, "mail": 0, "minio": 1}), func(view.Event) {})
	defer o.Close()
	for _, s := range o.Snapshot() {
		if r := o.Check(t.Context(), s.Name); r.Ready != (s.Name == "mail") {
			t.Errorf("%s: %+v", s.Name, r)
		}
		if s.Name == "mail" && (s.Health != view.HealthRunning || s.ReadyBy != "running") {
			t.Errorf("mail is %s by %s", s.Health, s.ReadyBy)
		}
	}
	if r := o.Check(t.Context(), "nobody"); r.Ready {
		t.Errorf("nobody: %+v", r)
	}
}

// A process may end milliseconds after its server, which was asked seconds ago: to confirm is to ask, and to remember.
func TestOthersConfirm(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "+PONG\r\n")
			c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	ready := make(chan struct{}, 8)
	o := Watch(publishing(map[string]int{"redis": port}), func(e view.Event) {
		if e.To == view.IsReady {
			ready <- struct{}{}
		}
	})
	defer o.Close()
	<-ready
	if s := o.Snapshot()[0]; s.State != "running" || !s.Ready || s.ReadyBy != "PONG" || len(s.Ports) != 1 || s.Ports[0].HostPort != port {
		t.Errorf("while it answers: %+v", s)
	}
	l.Close()
	<-served
	o.Confirm(t.Context(), "redis")
	if s := o.Snapshot()[0]; s.State != view.Absent || s.Ready {
		t.Errorf("when it is gone: %+v", s)
	}
}

// A snapshot is ahead of its events; Told waits for them.
func TestToldWaitsForTheEvent(t *testing.T) {
	shown, told := make(chan struct{}), atomic.Bool{}
	o := &Others{
		cancel: func() {}, checks: []*check{nil}, list: []view.ServiceDetails{view.NewService("db")},
		publish: func(view.Event) { <-shown; told.Store(true) },
	}
	o.work.Go(func() { o.saw(0, probe.Result{Ready: true, By: probe.Pong}) })
	for !o.Snapshot()[0].Ready {
		runtime.Gosched()
	}
	close(shown)
	o.Told()
	if !told.Load() {
		t.Error("the event comes after Told")
	}
	o.Close()
}
