package stack

import (
	"strconv"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// FuzzDurationAndSize: a value is taken or refused, never both, never negative, and what is taken means what it says.
func FuzzDurationAndSize(f *testing.F) {
	for _, text := range []string{"500ms", "1m30s", "1h", "2m", "1h0m1s", "4000", "1.5h", "-1s", "9999999999h", "1h1", "512M", "1.5G", "0.3", "1e3", "0x10", "99999999G", " 1K", "1kb", "007"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p problems
		node := func(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }
		d := p.duration(node(text), "it")
		if d < 0 || d > 0 && len(p.found) > 0 || len(p.found) > 1 {
			t.Errorf("duration %s and problems %v", d, p.found)
		}
		if written := FormatDuration(d); d%time.Millisecond == 0 {
			if again := p.duration(node(written), "it"); again != d {
				t.Errorf("%s is written as %s, which is %s", d, written, again)
			}
		}
		p = problems{}
		n := p.size(node(text), "it")
		if n < 0 || n > 0 && len(p.found) > 0 || len(p.found) > 1 {
			t.Errorf("size %d and problems %v", n, p.found)
		}
		if want, err := strconv.ParseInt(text, 10, 54); err == nil && text[0] != '-' && text[0] != '+' && (n != want || p.size(node(text+"K"), "it") != 1024*n) {
			t.Errorf("%s bytes are %d", text, n)
		}
	})
}
