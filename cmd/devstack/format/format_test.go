package format

import (
	"testing"
	"time"

	"devstack/view"
)

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 999 * time.Millisecond: "0s", 59900 * time.Millisecond: "59s", time.Minute: "1m", 59 * time.Minute: "59m",
		47*time.Hour + 59*time.Minute: "47h", 48 * time.Hour: "2d",
	} {
		if got := Age(d); got != want {
			t.Errorf("%s is %q, not %q", d, got, want)
		}
	}
}

func TestUptime(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	began := now.Add(-90 * time.Second)
	for _, tc := range []struct {
		at      *time.Time
		running bool
		want    string
	}{{&began, true, "1m"}, {&began, false, "-"}, {nil, true, "-"}} {
		if got := Uptime(tc.at, tc.running, now); got != tc.want {
			t.Errorf("since %v, running %v: %q, not %q", tc.at, tc.running, got, tc.want)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0B", 1023: "1023B", 1 << 10: "1K", 1<<20 - 1: "1023K", 54 << 20: "54M", 3 << 29: "1.5G"} {
		if got := Size(bytes); got != want {
			t.Errorf("%d bytes are %q, not %q", bytes, got, want)
		}
	}
}

func TestUsage(t *testing.T) {
	percent, bytes := 12.6, int64(7<<20)
	if cpu, memory := Usage(&percent, &bytes); cpu != "13%" || memory != "7M" {
		t.Errorf("got %q and %q", cpu, memory)
	}
	if cpu, memory := Usage(nil, nil); cpu != "-" || memory != "-" {
		t.Errorf("unknown is %q and %q", cpu, memory)
	}
}

func TestInstance(t *testing.T) {
	if first, third := Instance("web", 0), Instance("web", 2); first != "web" || third != "web#2" {
		t.Errorf("got %q and %q", first, third)
	}
}

func TestExit(t *testing.T) {
	for _, tc := range []struct {
		exit view.Exit
		want string
	}{
		{view.Exit{Code: new(1), Reason: "crash"}, "exited with code 1 (crash)"},
		{view.Exit{Signal: "SIGKILL", Reason: "memory"}, "ended by SIGKILL (memory)"},
		{view.Exit{}, "ended, status unknown"},
	} {
		if got := Exit(tc.exit); got != tc.want {
			t.Errorf("got %q, not %q", got, tc.want)
		}
	}
}
