package infra

import (
	"testing"
	"time"
)

// A look at a container that has ended and the engine's event about it come in either order.
func TestOneDeathIsKeptOnce(t *testing.T) {
	start := time.Unix(1000, 0)
	look := Exit{At: start.Add(7 * time.Millisecond), Uptime: 7 * time.Millisecond}
	event := Exit{At: start.Add(27 * time.Millisecond), Uptime: 27 * time.Millisecond, LastLines: []string{"OK"}}
	later := Exit{At: start.Add(time.Minute), Uptime: time.Second}
	for _, order := range [][]Exit{{look, event, later}, {event, look, later}} {
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
	event := Exit{At: noted.Add(33 * time.Millisecond), Uptime: 33 * time.Millisecond, LastLines: []string{"OK"}}
	var got tracked
	got.died(look)
	got.died(event)
	if exits := got.view.Exits; len(exits) != 1 || len(exits[0].LastLines) != 1 {
		t.Errorf("kept %+v", exits)
	}
}
