package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// notifier tells systemd how this process is. Without systemd (NOTIFY_SOCKET) it tells nobody.
type notifier struct {
	log    *slog.Logger
	every  time.Duration // how often somebody wants a sign of life
	ready  bool
	status string
}

// signOfLife is how often progress is reported where no watchdog asks for more.
const signOfLife = 5 * time.Second

func newNotifier(log *slog.Logger) *notifier {
	n := &notifier{log: log, every: signOfLife}
	limit, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("cannot read what the watchdog wants", "err", err)
	}
	if limit > 0 {
		n.every = min(limit/2, signOfLife)
	}
	return n
}

func (n *notifier) send(lines ...string) {
	if _, err := systemd.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		n.log.Warn("cannot notify systemd", "err", err)
	}
}

// alive is the sign of life, with the status if that is news.
func (n *notifier) alive(status string) {
	lines := []string{systemd.SdNotifyWatchdog}
	if status = strings.ReplaceAll(status, "\n", " "); status != n.status {
		n.status = status
		n.log.Info(status)
		lines = append(lines, "STATUS="+status)
	}
	n.send(lines...)
}

// begun says once that the start is over.
func (n *notifier) begun() {
	if !n.ready {
		n.ready = true
		n.send(systemd.SdNotifyReady)
	}
}

// moreTime asks that a start or a stop may go on for d from now.
func (n *notifier) moreTime(d time.Duration) {
	n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()))
}

func (n *notifier) stopping(status string) {
	n.status = status
	n.send(systemd.SdNotifyStopping, "STATUS="+status)
}
