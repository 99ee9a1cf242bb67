package keeper

import "sync"

// stash is what a daemon leaves with the keeper for the next one.
type stash struct {
	mu   sync.Mutex // guards blob
	blob []byte
}

func (s *stash) put(blob []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blob = blob
}

func (s *stash) get() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blob
}
