package daemon

import (
	"testing"
	"time"

	"devstack/view"
)

func TestBus(t *testing.T) {
	b := newBus(time.UnixMicro(100))
	got, more := b.after(100)
	if len(got) != 0 {
		t.Fatalf("a new bus has events: %v", got)
	}
	b.publish(view.Event{Message: "one"})
	b.publish(view.Event{Message: "two"})
	<-more
	got, _ = b.after(101)
	if len(got) != 1 || got[0].Seq != 102 || got[0].Message != "two" || got[0].Time.IsZero() {
		t.Fatalf("after(101) = %+v, want the event 102", got)
	}
	if got, _ := b.after(b.now()); len(got) != 0 {
		t.Fatalf("events after the newest: %+v", got)
	}
}

func TestBusGap(t *testing.T) {
	b := newBus(time.UnixMicro(0))
	for range 3 * keptEvents {
		b.publish(view.Event{})
	}
	for _, tc := range []struct {
		name  string
		since uint64
		gap   bool
		count int
	}{
		{"too old", 10, true, keptEvents + 1},
		{"of a future daemon", 9 * keptEvents, true, keptEvents + 1},
		{"oldest kept", 2 * keptEvents, false, keptEvents},
		{"one before the newest", 3*keptEvents - 1, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _ := b.after(tc.since)
			if len(got) != tc.count || (got[0].Kind == view.KindGap) != tc.gap {
				t.Fatalf("after(%d): %d events, first %+v", tc.since, len(got), got[0])
			}
			if last := got[len(got)-1]; last.Seq != 3*keptEvents {
				t.Errorf("the last event is %d", last.Seq)
			}
			for i := 2; i < len(got); i++ {
				if got[i].Seq != got[i-1].Seq+1 {
					t.Fatalf("hole between %d and %d", got[i-1].Seq, got[i].Seq)
				}
			}
		})
	}
}
