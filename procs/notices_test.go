package procs

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"devstack/probe"
	"devstack/procs/keeper"
	"devstack/stack"
	"devstack/view"
)

func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKeeper{begun: time.Now(), alive: map[keeper.Key]bool{}}
		var mu sync.Mutex
		var got []view.Event
		m := NewManager(Options{Keeper: k, Publish: func(n view.Event) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, n)
		}})
		defer m.Close()
		k.manager = m
		app := testApp("api")
		app.WaitReady, app.DependsOn = true, []stack.Dependency{{Name: "redis"}}
		m.Apply([]stack.App{app})
		m.Start("api")
		synctest.Wait()
		m.SetGate("api", nil)
		pass(time.Minute)
		m.IPC(keeper.IPCLine{Key: keeper.Key{App: "api", Generation: 1}, Line: []byte(`"ready"`)})
		synctest.Wait()
		k.exit(keeper.Key{App: "api", Generation: 1}, keeper.Exit{Code: 3})
		synctest.Wait()
		want := []view.Event{
			{Resource: "api", Kind: view.KindProcess, From: "stopped", To: "waiting", Cause: "started"},
			{Resource: "api", Kind: view.KindProcess, From: "waiting", To: "launching", Cause: "dependencies are ready"},
			{Resource: "api", Kind: view.KindWarning, Cause: "listen_timeout", Message: "api is not ready after 30s (ready by ipc)"},
			{Resource: "api", Kind: view.KindProcess, From: "launching", To: "online", Cause: "ipc"},
			{Resource: "api", Kind: view.KindReady, From: "not ready", To: "ready", Cause: "ipc"},
			{Resource: "api", Kind: view.KindProcess, From: "online", To: "waiting restart", Cause: "crash: exit code 3"},
			{Resource: "api", Kind: view.KindReady, From: "ready", To: "not ready", Cause: "crash: exit code 3"},
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(got, want) {
			t.Errorf("got\n%+v, want\n%+v", got, want)
		}
	})
}

func TestUnhealthyAfterRetriesInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		answers := []bool{true, false, false, true, false, false, false}
		p := probe.Func(func(context.Context) probe.Result {
			ready := answers[0]
			answers = answers[1:]
			return probe.Result{Ready: ready, Detail: "503"}
		})
		hc := stack.Healthcheck{Interval: 5 * time.Second, Timeout: time.Second, Retries: 3}
		looks := 0
		detail := untilUnhealthy(t.Context(), p, hc, func(probe.Result) { looks++ })
		if detail != "healthcheck failed 3 times: 503" || looks != 7 || time.Since(begun) != 35*time.Second {
			t.Errorf("%q after %d looks in %s", detail, looks, time.Since(begun))
		}
	})
}
