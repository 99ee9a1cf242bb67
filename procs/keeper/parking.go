package keeper

import (
	"sync"
	"time"
)

// parking stops a goroutine between two reads and lets it go on later.
type parking struct {
	mu     sync.Mutex
	parked chan struct{} // closed by the goroutine when it waits; nil: nobody asked it to
	goOn   chan struct{} // closed when it may go on
}

// past is a deadline that interrupts at once.
var past = time.Unix(1, 0)

// stop interrupts the goroutine's reads by their deadline. What it returns is closed when the goroutine waits; one that ends
// instead never does.
func (p *parking) stop(deadline func(time.Time) error) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parked, p.goOn = make(chan struct{}), make(chan struct{})
	_ = deadline(past) // fails only for what is closed: its goroutine ends
	return p.parked
}

// wait is called by the goroutine whose read has met the deadline.
func (p *parking) wait() {
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

// resume undoes stop.
func (p *parking) resume(deadline func(time.Time) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = deadline(time.Time{})
	if p.goOn != nil {
		close(p.goOn)
		p.parked, p.goOn = nil, nil
	}
}
