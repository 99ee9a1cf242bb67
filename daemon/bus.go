package daemon

import (
	"sync"
	"time"

	"devstack/view"
)

// keptEvents is how many events a client can be behind before it sees a gap.
const keptEvents = 4096

// bus numbers events and keeps the newest. Readers pull from it at their own pace with a sequence number, so a slow
// one loses events and is told so, and publishing never waits for anybody.
type bus struct {
	mu      sync.Mutex
	last    uint64
	events  []view.Event  // ascending by Seq without holes
	arrived chan struct{} // closed and replaced by every publish
}

// newBus starts numbering at the present microsecond, so that numbers go on rising across restarts of the daemon and
// a client that resumes with a predecessor's number is told of the gap.
func newBus(now time.Time) *bus {
	return &bus{last: uint64(now.UnixMicro()), arrived: make(chan struct{})}
}

func (b *bus) publish(e view.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	e.Seq = b.last
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	b.events = append(b.events, e)
	if len(b.events) >= 2*keptEvents {
		b.events = append([]view.Event(nil), b.events[len(b.events)-keptEvents:]...)
	}
	close(b.arrived)
	b.arrived = make(chan struct{})
}

func (b *bus) warn(resource, message string) {
	b.publish(view.Event{Resource: resource, Kind: view.KindWarning, Message: message})
}

// now is the newest sequence number.
func (b *bus) now() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// after returns the events after seq and a channel that is closed when there are more. The first of them has Kind gap
// when some in between are lost; a seq that was never given out is a gap, too.
func (b *bus) after(seq uint64) ([]view.Event, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.events[max(0, len(b.events)-keptEvents):]
	oldest := b.last - uint64(len(kept)) // the number just before the first kept event
	switch {
	case seq == b.last:
		return nil, b.arrived
	case seq < oldest || seq > b.last:
		gap := view.Event{Seq: oldest, Time: time.Now(), Kind: view.KindGap, Message: "some events before this one are lost"}
		return append([]view.Event{gap}, kept...), b.arrived
	}
	return append([]view.Event(nil), kept[seq-oldest:]...), b.arrived
}
