// Package pause makes a goroutine that reads wait between two reads, and go on where it was.
package pause

import (
	"sync"
	"time"
)

// Point stops a goroutine between two reads and lets it go on later.
type Point struct {
	mu     sync.Mutex
	parked chan struct{} // closed by the goroutine when it waits; nil: nobody asked it to
	goOn   chan struct{} // closed when it may go on
}

// Past is a deadline that interrupts at once.
var Past = time.Unix(1, 0)

// Stop interrupts the goroutine's reads by their deadline. What it returns is closed when the goroutine waits; one that ends
// instead never does.
func (p *Point) Stop(deadline func(time.Time) error) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked, p.goOn = make(chan struct{}), make(chan struct{})
	_ = deadline(Past) // fails only for what is closed: its goroutine ends
	return p.parked
}

// Wait is called by the goroutine whose read has met the deadline.
func (p *Point) Wait() {
	p.mu.Lock()
	parked, goOn := p.parked, p.goOn
	p.parked = nil
	p.mu.Unlock()
	if parked != nil {
		close(parked)
	}
	if goOn != nil {
		<-goOn
	}
}

// Resume undoes stop.
func (p *Point) Resume(deadline func(time.Time) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = deadline(time.Time{})
	if p.goOn != nil {
		close(p.goOn)
		p.parked, p.goOn = nil, nil
	}
}
