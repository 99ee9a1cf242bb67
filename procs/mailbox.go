package procs

import "sync"

// mailbox is an unbounded queue of things to do: whoever puts something in never waits, so neither an API call nor
// the keeper's connection is ever held up by a busy instance.
type mailbox struct {
	mu      sync.Mutex // guards items
	items   []func()
	arrived chan struct{} // capacity 1: items are not empty, or were not a moment ago
}

func newMailbox() *mailbox { return &mailbox{arrived: make(chan struct{}, 1)} }

func (b *mailbox) put(do func()) {
	b.mu.Lock()
	b.items = append(b.items, do)
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

func (b *mailbox) takeAll() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = nil
	return items
}
