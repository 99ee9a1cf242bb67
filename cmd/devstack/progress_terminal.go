package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"devstack/view"
)

// live keeps a board on the terminal up to date: redrawn with every event, and every 100 ms for its clocks.
type live struct {
	io *IOStreams

	mu    sync.Mutex
	board board
	drawn int // lines on the screen
	said  int // of what is to stay above the block, how much is printed

	end  chan struct{}
	done chan struct{}
}

func startLive(io *IOStreams, title string, ending bool) *live {
	b := board{title: title, ending: ending, start: time.Now()}
	l := &live{io: io, board: b, end: make(chan struct{}), done: make(chan struct{})}
	fmt.Fprint(io.Err, "\x1b[?25l") // hide the cursor
	l.draw()
	go l.tick()
	return l
}

func (l *live) tick() {
	defer close(l.done)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-l.end:
			return
		case <-ticker.C:
			l.draw()
		}
	}
}

func (l *live) event(e view.Event) {
	l.mu.Lock()
	l.board.apply(e)
	l.mu.Unlock()
	l.draw()
}

// stop leaves the head line on the screen if the action has ended, since a table follows that shows the rest; else the
// last frame says how far it came. It gives the cursor back.
func (l *live) stop(ended bool) {
	close(l.end)
	<-l.done
	l.board.over, l.board.build = ended, nil
	l.draw()
	fmt.Fprint(l.io.Err, "\x1b[?25h")
}

func (l *live) draw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	width, height := l.io.Size()
	c := l.io.ErrStyle()
	var out strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", l.drawn)
	}
	out.WriteString("\r")
	for ; l.said < len(l.board.said); l.said++ {
		fmt.Fprintf(&out, "%s\x1b[K\n", l.board.said[l.said].line(c))
	}
	lines := l.board.frame(time.Now(), width-1, height-1, c)
	for _, line := range lines {
		out.WriteString(line + "\x1b[K\n")
	}
	out.WriteString("\x1b[J")
	l.drawn = len(lines)
	fmt.Fprint(l.io.Err, out.String())
}
