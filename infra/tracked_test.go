package infra

import (
	"testing"
	"time"

	"devstack/view"
)

// A look at a container that has ended and the engine's event about it come in either order.
func TestOneDeathIsKeptOnce(t *testing.T) {
	start := time.Unix(1000, 0)
	look := exited(0, false, start.Add(7*time.Millisecond+600), 7*time.Millisecond+600)
	event := exited(0, false, start.Add(27*time.Millisecond), 27*time.Millisecond)
	event.LastLines = []string{"OK"}
	later := exited(0, false, start.Add(time.Minute), time.Second)
	for _, order := range [][]view.ExitRecord{{look, event, later}, {event, look, later}} {
		var got tracked
		for _, e := range order {
			got.died(e)
		}
		if exits := got.view.Exits; len(exits) != 2 || len(exits[0].LastLines) != 1 || !exits[1].At.Equal(later.At) {
			t.Errorf("kept %+v", exits)
		}
	}
}

// A process can end before the engine has noted that it began; its end is then told twice, and is still one.
func TestALifeThatWasTooShortForTheEngineIsKeptOnce(t *testing.T) {
	noted := time.Unix(1000, 0)
	look := exitOf(Container{State: "exited", StartedAt: noted, FinishedAt: noted.Add(-time.Millisecond)})
	event := exited(0, false, noted.Add(33*time.Millisecond), 33*time.Millisecond)
	event.LastLines = []string{"OK"}
	var got tracked
	got.died(look)
	got.died(event)
	if exits := got.view.Exits; len(exits) != 1 || len(exits[0].LastLines) != 1 {
		t.Errorf("kept %+v", exits)
	}
}
