package rehearse

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"devstack/profiles/prod"
)

// canaryCount is how many secrets a rehearsal makes up. Those that the definitions do not ask for are only there to be
// found where they must not be.
const canaryCount = 20

// planted begins every canary that lies in the build's context. It is always the same, so that the engine's build cache,
// which compares the context with the last one's, is of use.
const planted = "devstackCanaryPlantedInContext"

// canaries are secrets with a common beginning that is searched for.
type canaries struct {
	run    string // at the beginning of each of this run's
	number int
}

func newCanaries() *canaries { return &canaries{run: "canary" + rand.Text()} }

// next is a new secret, of letters and digits alone: it is the same in a URL.
func (c *canaries) next() string {
	c.number++
	return fmt.Sprintf("%s%02d%s", c.run, c.number, rand.Text()[:8])
}

// needles are the ways in which a canary may be written.
func (c *canaries) needles() [][]byte {
	return append(prod.Needles(c.run), prod.Needles(planted)...)
}

// find is how often a canary is in what is read, however it is written.
func (c *canaries) find(r io.Reader) (hits int, size int64, err error) {
	needles := c.needles()
	longest := 0
	for _, n := range needles {
		longest = max(longest, len(n))
	}
	buf := make([]byte, 1<<20)
	kept := 0
	for {
		n, err := r.Read(buf[kept:])
		size += int64(n)
		window := buf[:kept+n]
		for _, needle := range needles {
			// A hit that ends in what was kept was counted before.
			from := max(0, kept-len(needle)+1)
			hits += bytes.Count(window[from:], needle)
		}
		if errors.Is(err, io.EOF) {
			return hits, size, nil
		} else if err != nil {
			return hits, size, err
		}
		kept = copy(buf, window[max(0, len(window)-longest+1):])
	}
}

// in is how often a canary is in a text.
func (c *canaries) in(text string) int {
	hits, _, _ := c.find(strings.NewReader(text)) // a text can always be read
	return hits
}
