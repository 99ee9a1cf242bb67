package daemon

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
	"devstack/view"
)

// blamedExit is the newest exit since then that speaks against the program, and how many there were; nil: none.
func blamedExit(app stack.App, exits []view.ExitRecord, since time.Time) (newest *view.ExitRecord, times int) {
	for i, e := range exits {
		if !e.At.Before(since) && speaksAgainst(app, e) {
			newest, times = &exits[i], times+1
		}
	}
	return newest, times
}

// speaksAgainst says whether an exit is a fault of the program: nobody has asked for it, its definition does not say that it may
// end, what it depends on was there, and it was the launch that served.
func speaksAgainst(app stack.App, e view.ExitRecord) bool {
	if e.Beside || e.DependencyDown || mayEnd(app, e) {
		return false
	}
	return e.Reason.ByItself() || e.Reason == view.Memory || e.Reason == view.Liveness
}

// mayEnd says whether the definition of an app lets it end by itself as it has.
func mayEnd(app stack.App, e view.ExitRecord) bool {
	listed := e.Code != nil && slices.Contains(app.StopExitCodes, *e.Code)
	return e.Reason.ByItself() && listed || e.Reason == view.Exited && (!app.Autorestart || app.OneShot)
}

// endings says in words how a launch ended, after what time, and how often that happened.
func endings(e view.ExitRecord, times int) string {
	text := stack.MaskText(e.EndingAfter())
	if times > 1 {
		text += fmt.Sprintf(" (exit %d since this command began)", times)
	}
	return text
}

// nextStep is what to do about a failure. More of --timeout helps only where that was what ended.
func nextStep(f api.Failure, st *stack.Stack, processes []procs.Process) string {
	if f.Exit != api.ExitTimeout {
		return "devstack logs " + f.Resource
	}
	late := func(p procs.Process) bool { return p.Name == f.Resource && p.Late }
	app := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == f.Resource })
	if app >= 0 && slices.ContainsFunc(processes, late) {
		_, key := patience(st.Apps[app])
		return "devstack logs " + f.Resource + "; if it only needs more time, raise its " + key
	}
	return "devstack describe " + f.Resource + " shows what it waits for; --timeout waits longer"
}

// attachExit makes what a launch said last the evidence of a failure, and names the file that holds it. nil: there is no launch.
func attachExit(f *api.Failure, exit *view.ExitRecord) {
	f.LastLines, f.LogFiles = []string{}, []string{}
	if exit != nil {
		attachLines(f, exit.LastLines, exit.LogFiles)
	}
}

// attachLines makes lines the evidence of a failure, and names the files that they are in.
func attachLines(f *api.Failure, lines, files []string) {
	f.LastLines, f.LogFiles, f.LogFile = orEmpty(lines), orEmpty(files), ""
	if len(f.LogFiles) > 0 {
		f.LogFile = f.LogFiles[0]
	}
}

// addLastLines adds what processes that run and are not ready have said last, and what they listen on instead; those that
// ended have what they said with their exit. processes have their ports.
func addLastLines(failures []api.Failure, st *stack.Stack, processes []procs.Process, stateDir string) {
	for _, p := range processes {
		i := slices.IndexFunc(failures, func(f api.Failure) bool { return f.Resource == p.Name && f.Exit == api.ExitTimeout })
		app := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name })
		if i < 0 || app < 0 || p.Status != view.Launching || p.StartedAt == nil || len(failures[i].LastLines) > 0 {
			continue
		}
		f := &failures[i]
		lines, files := procs.LastLines(procs.SourceOf(st.Apps[app], p.Instance, nil), stateDir, procs.ExitLines, *p.StartedAt)
		attachLines(f, lines, files)
		f.Message = withElsewhere(f.Message, st.Apps[app].Instance(p.Instance), p)
	}
}

// patience is how long a launch may take to become ready, and the key that says so.
func patience(app stack.App) (limit time.Duration, key string) {
	if app.Healthcheck != nil && app.Healthcheck.StartPeriod > app.ListenTimeout {
		return app.Healthcheck.StartPeriod, "healthcheck.start_period"
	}
	return app.ListenTimeout, "listen_timeout"
}

// inTime is the limit of a launch in words: 30s (listen_timeout).
func inTime(app stack.App) string {
	limit, key := patience(app)
	return fmt.Sprintf("%s (%s)", limit, key)
}

// lateness says what a launch that runs has not done within its time.
func lateness(app stack.App, p procs.Process) string {
	return because("runs and was not ready within "+inTime(app), expectation(app, p))
}

// expectation is what a launch has to do to be ready, as far as it is known that it has not done it.
func expectation(app stack.App, p procs.Process) string {
	if app.WaitReady {
		return because("devstack waits for its process.send('ready') (wait_ready)", lastProbe(p))
	}
	return lastProbe(p)
}

// withElsewhere adds to what is said of a launch that is not ready what it listens on instead of the port that it has to.
func withElsewhere(text string, app stack.App, p procs.Process) string {
	port := app.Port
	if hc := app.Healthcheck; hc != nil {
		port = cmp.Or(probedPort(*hc), port)
	}
	var others []string
	for _, at := range p.Ports {
		if other := fmt.Sprintf(":%d", at.Port); at.Port == port {
			return text
		} else if !slices.Contains(others, other) {
			others = append(others, other)
		}
	}
	elsewhere := "it listens on " + strings.Join(others, ", ")
	if port == 0 || len(others) == 0 || strings.Contains(text, elsewhere) {
		return text
	}
	return text + "; " + elsewhere
}

// probedPort is the port that an http or a tcp healthcheck names; 0: it names none.
func probedPort(hc stack.Healthcheck) int {
	at := hc.TCP
	if u, err := url.Parse(hc.HTTP); hc.HTTP != "" && err == nil {
		at = u.Host
		if u.Port() == "" {
			return map[string]int{"http": 80, "https": 443}[u.Scheme]
		}
	}
	_, port, _ := net.SplitHostPort(at)
	n, _ := strconv.Atoi(port) // 0 is no port
	return n
}
