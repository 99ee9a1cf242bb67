package daemon

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"devstack/daemon/api"
	"devstack/view"
)

// onWrite is a client that does something when it gets the first event.
type onWrite struct {
	*httptest.ResponseRecorder
	do func()
}

func (w *onWrite) Write(data []byte) (int, error) {
	if do := w.do; do != nil {
		w.do = nil
		do()
	}
	return w.ResponseRecorder.Write(data)
}

// What was published before an action ended is told before its result. Whether the loop sees the last event or the result
// first is chance: so often, each has been first.
func TestNoEventIsLostBeforeTheResult(t *testing.T) {
	for range 64 {
		b := newBus(time.Now())
		since := b.now()
		b.publish(view.Event{Message: "first"})
		result := make(chan *api.Result, 1)
		w := &onWrite{ResponseRecorder: httptest.NewRecorder(), do: func() {
			b.publish(view.Event{Message: "last"})
			result <- &api.Result{}
		}}
		streamResult(w, httptest.NewRequest("POST", "/", nil), b, since, result)
		var said []string
		for d := json.NewDecoder(w.Body); d.More(); {
			var e api.Event
			if err := d.Decode(&e); err != nil {
				t.Fatal(err)
			}
			said = append(said, e.Message)
			if (e.Result != nil) != (len(said) == 3) || e.Seq <= since {
				t.Fatalf("event %d: %+v", len(said), e)
			}
			since = max(since, e.Seq-1)
		}
		if len(said) != 3 || said[0] != "first" || said[1] != "last" {
			t.Fatalf("said %q", said)
		}
	}
}
