package protocol

import "testing"

func TestReleaseCovers(t *testing.T) {
	for _, c := range []struct {
		req  ReleaseReq
		want [3]bool // generations 1, 2 and 3
	}{
		{ReleaseReq{}, [3]bool{true, true, true}},
		{ReleaseReq{Before: 3}, [3]bool{true, true, false}},
		{ReleaseReq{Only: 2}, [3]bool{false, true, false}},
		{ReleaseReq{Before: 2, Only: 2}, [3]bool{false, false, false}},
	} {
		for i, want := range c.want {
			if got := c.req.Covers(int64(i + 1)); got != want {
				t.Errorf("%+v, generation %d: %v", c.req, i+1, got)
			}
		}
	}
}
