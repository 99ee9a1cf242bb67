package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
	"devstack/view"
)

// Pauses between attempts to find the engine, and the time that systemd is asked for.
const (
	firstLook  = 200 * time.Millisecond
	lastLook   = 5 * time.Second
	whileBoot  = time.Minute     // from each sign of life on, while the engine is waited for and images are pulled
	toGetReady = 5 * time.Minute // from when all are started on
	toStopOne  = 30 * time.Second
)

// byOther is infra's word for somebody else.
const byOther = "other"

// infraService is the life of one `devstackd infra`. Everything but boot is done by one goroutine, whose sign of life is the
// watchdog's.
type infraService struct {
	project infra.Project
	memory  *infraMemory
	systemd *notifier
	log     *slog.Logger
	connect func(context.Context) (infra.Driver, error)
	changed chan struct{} // capacity 1: look again
	booted  bool          // until then nobody has judged who stopped what

	mu      sync.Mutex
	engine  *infra.Infra // nil: none has answered yet
	waiting string       // why there is none
}

// run returns when ctx ends and the containers are stopped, or when they cannot be brought up.
func (s *infraService) run(ctx context.Context) error {
	booted := make(chan error, 1)
	go func() { booted <- s.boot(ctx) }()
	tick := time.NewTicker(s.systemd.every)
	defer tick.Stop()
	defer s.setEngine(nil, "")
	for {
		s.look()
		select {
		case err := <-booted:
			if err != nil && ctx.Err() == nil {
				return err
			}
			booted, s.booted = nil, err == nil
			s.systemd.moreTime(toGetReady)
		case <-s.changed:
		case <-tick.C:
		case <-ctx.Done():
			if booted != nil {
				s.booted = <-booted == nil // what it has begun is finished
			}
			return s.stop()
		}
	}
}

// boot waits for the engine and brings up what nobody had stopped.
func (s *infraService) boot(ctx context.Context) error {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		err := s.bootOnce(ctx)
		if err == nil || !noEngine(err) {
			return err
		}
		s.setEngine(nil, err.Error())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *infraService) bootOnce(ctx context.Context) error {
	driver, err := s.connect(ctx)
	if err != nil {
		return err
	}
	engine := infra.New(driver, s.log, s.event)
	s.setEngine(engine, "")
	return engine.Boot(ctx, s.project, s.memory.last.Stopped, s.memory.last.At)
}

// setEngine makes engine the one that is looked at, or says why there is none.
func (s *infraService) setEngine(engine *infra.Infra, waiting string) {
	s.mu.Lock()
	old := s.engine
	s.engine, s.waiting = engine, waiting
	s.mu.Unlock()
	if old != nil {
		old.Close()
	}
	s.lookAgain()
}

func (s *infraService) lookAgain() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// look tells systemd how things are, and writes down who stopped what.
func (s *infraService) look() {
	s.mu.Lock()
	engine, waiting := s.engine, s.waiting
	s.mu.Unlock()
	if !s.booted {
		s.systemd.moreTime(whileBoot)
	}
	if engine == nil {
		status := "looking for the container engine"
		if waiting != "" {
			status = "waiting for the container engine: " + waiting
		}
		s.systemd.alive(status)
		return
	}
	services := engine.Snapshot()
	s.systemd.alive(infraStatus(services))
	if !s.booted {
		return
	}
	if infraReady(services) {
		s.systemd.begun()
	}
	if err := s.memory.keep(stoppedByOthers(engine), time.Now()); err != nil {
		s.log.Error("a restart may start what somebody has stopped", "err", err)
	}
}

// stop stops the containers, dependents first, and keeps them. What somebody had stopped is remembered before, because this
// may be cut short, and afterwards, because an engine on its own way down may have been taken for somebody.
func (s *infraService) stop() error {
	s.mu.Lock()
	engine := s.engine
	s.mu.Unlock()
	s.systemd.stopping("stopping the containers")
	if !s.booted {
		return errors.Join(s.stopUnseen(), s.memory.keep(s.memory.last.Stopped, time.Time{}))
	}
	err := s.remember(engine)
	for _, name := range s.dependentsFirst() {
		if engine.Stopped()[name] != "" {
			continue
		}
		s.systemd.moreTime(toStopOne + grace(s.project.Services[name]))
		err = errors.Join(err, engine.Stop(context.Background(), name))
	}
	return errors.Join(err, s.remember(engine))
}

// stopUnseen stops what runs, although the start has not come so far as to know it: an earlier process may have left it.
func (s *infraService) stopUnseen() error {
	s.setEngine(nil, "") // it repairs nothing any more
	ctx, cancel := context.WithTimeout(context.Background(), toStopOne)
	defer cancel()
	driver, err := s.connect(ctx)
	if noEngine(err) { // then nothing runs
		return nil
	}
	if err != nil {
		return err
	}
	defer driver.Close()
	seen, err := driver.Observe(ctx, s.project.Name, nil)
	for _, name := range s.dependentsFirst() {
		for _, c := range seen.Containers {
			if c.Service == name {
				s.systemd.moreTime(toStopOne + grace(s.project.Services[name]))
				err = errors.Join(err, driver.StopContainer(context.Background(), c.ID))
			}
		}
	}
	return err
}

// dependentsFirst are the services in the order in which they are stopped.
func (s *infraService) dependentsFirst() []string {
	order := infra.Order(s.project.Project)
	slices.Reverse(order)
	return order
}

// remember writes down who stopped what, and that the engine's memory of this process's own stopping means nothing.
func (s *infraService) remember(engine *infra.Infra) error {
	return s.memory.keep(stoppedByOthers(engine), time.Time{})
}

// grace is how long a container may take to end.
func grace(service types.ServiceConfig) time.Duration {
	if service.StopGracePeriod == nil {
		return 10 * time.Second // Docker's default
	}
	return time.Duration(*service.StopGracePeriod)
}

// stoppedByOthers are the services that somebody has stopped; what this process stops itself is nobody's decision.
func stoppedByOthers(engine *infra.Infra) map[string]string {
	out := map[string]string{}
	for name, by := range engine.Stopped() {
		if by == byOther {
			out[name] = by
		}
	}
	return out
}

// infraReady says that everything that nobody has stopped is ready.
func infraReady(services []view.ServiceDetails) bool {
	return !slices.ContainsFunc(services, func(v view.ServiceDetails) bool { return !v.Ready && v.StoppedBy == "" })
}

// infraStatus is the line that systemctl status shows.
func infraStatus(services []view.ServiceDetails) string {
	ready := 0
	var others []string
	for _, v := range services {
		switch {
		case v.Ready:
			ready++
		case v.StoppedBy != "":
			others = append(others, v.Name+" is stopped")
		case v.Detail != "":
			others = append(others, v.Name+": "+v.Detail)
		}
	}
	status := fmt.Sprintf("%d/%d services ready", ready, len(services))
	if len(others) > 0 {
		status += "; " + strings.Join(others, "; ")
	}
	return status
}

// event logs what happened and looks again.
func (s *infraService) event(e view.Event) {
	switch {
	case e.Kind == view.KindPull: // many a second
	case e.Kind == view.KindWarning:
		s.log.Warn(e.Message, "service", e.Resource)
	case e.Kind == view.KindOp && e.To == "failed":
		s.log.Error(e.Message, "service", e.Resource, "err", e.Cause)
	case e.Kind == view.KindOp && e.To == "started":
		s.log.Info(e.Message, "service", e.Resource, "cause", e.Cause)
	case e.Kind == view.KindService, e.Kind == view.KindReady:
		s.log.Info("it changed", "service", e.Resource, "from", e.From, "to", e.To, "cause", e.Cause)
	}
	s.lookAgain()
}
