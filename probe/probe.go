// Package probe answers one question about a container or a process: is it ready? It promises that Ready means the
// thing itself has answered in its own protocol; an accepted TCP connection is never enough for redis, postgres or http.
package probe

import "context"

// Result is one look. A Result that is not Ready says in Detail why, in words for people.
type Result struct {
	Ready bool
	// Broken means that waiting will not help: it answers and refuses us (wrong password, no such database).
	Broken bool
	// Alive means that the server itself has spoken, ready or not: it is past the worst of its start.
	Alive  bool
	By     Kind // of a Result that is Ready: what that rests on
	Detail string
}

// Probe looks once. It returns when it knows or when ctx ends; an ended ctx is a Result that is not Ready.
type Probe interface {
	Check(ctx context.Context) Result
}

// Func is a function used as a Probe.
type Func func(ctx context.Context) Result

// Check calls f.
func (f Func) Check(ctx context.Context) Result { return f(ctx) }
