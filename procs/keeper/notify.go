package keeper

import (
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"devstack/procs/keeper/protocol"
)

// A service manager that waits for notifications puts the address of a datagram socket into NOTIFY_SOCKET of the main
// process: a path, or an abstract name that begins with '@'. One datagram is one message of lines such as READY=1, and
// counts only if the sender may send: NotifyAccess=main, the default of Type=notify, asks for the main process itself,
// which the keeper is. So `systemd-notify --ready` in a daemon or a process would be ignored, or with NotifyAccess=all
// would speak for a stack of which it knows nothing: READY=1 "tells the service manager that service startup is finished"
// (sd_notify(3), systemd-notify(1)) for all that is ordered after the unit. Hence they never see the socket.
//
// github.com/coreos/go-systemd/v22/daemon does what is below in as many lines, reads the variables anew itself and has
// nothing more to give: the keeper stays with the standard library.

// serviceOf is what the service manager wants of the process pid; nil: none waits for notifications. The watchdog is
// another process's if WATCHDOG_PID names one (sd_watchdog_enabled(3)).
func serviceOf(getenv func(string) string, pid int) *protocol.Service {
	if getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	s := &protocol.Service{}
	if of := getenv("WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return s
	}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		s.WatchdogUSec = usec
	}
	return s
}

// notifyTime is how long a service manager whose queue is full is waited for.
const notifyTime = time.Second

// tellService sends one message in sd_notify's words; without a service manager it is nothing to do.
func tellService(text string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	if address[0] != '/' && address[0] != '@' {
		return errors.New("cannot notify: NOTIFY_SOCKET is neither a path nor an abstract name")
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyTime)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}

// tellStopping announces an end that takes no longer than limit, so that its time is not cut short.
func tellStopping(limit time.Duration) error {
	usec := strconv.FormatInt((limit + leaveTime).Microseconds(), 10)
	return tellService("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=" + usec)
}
