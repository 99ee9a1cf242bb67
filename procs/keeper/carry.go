package keeper

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"devstack/procs/keeper/logs"

	"devstack/procs/keeper/protocol"
)

// carryVersion is that of carried. Fields are only ever added, and mean nothing when they are empty; a change that an older
// keeper would misread gets the next number, which it then refuses in its check.
const carryVersion = 1

// carried is all that a keeper knows, as the next executable in its process gets it: JSON in a file that lies in memory
// alone. Descriptors are numbers, which stay open across exec.
type carried struct {
	Version  int                  `json:"version"`
	Options  Options              `json:"options"`
	Since    time.Time            `json:"since"`
	Lock     int                  `json:"lock"`
	Place    int                  `json:"place,omitempty"` // 0: an older keeper has none
	Listener int                  `json:"listener"`
	Stash    []byte               `json:"stash,omitempty"`
	Launches []carriedLaunch      `json:"launches,omitempty"`
	Streams  []logs.CarriedStream `json:"streams,omitempty"`
	Files    []logs.CarriedFile   `json:"files,omitempty"`
	Held     []carriedSocket      `json:"held,omitempty"`
	Wanting  []carriedWant        `json:"wanting,omitempty"`
}

type carriedLaunch struct {
	protocol.Running
	Grace    protocol.Grace  `json:"grace"`
	Holds    bool            `json:"holds,omitempty"`
	Server   bool            `json:"server,omitempty"`
	Released bool            `json:"released,omitempty"`
	Acked    bool            `json:"acked,omitempty"` // its exit is on record: only its channel is still open
	Streams  []int           `json:"streams,omitempty"`
	Channel  *carriedChannel `json:"channel,omitempty"`
}

type carriedChannel struct {
	FD        int      `json:"fd"`
	Line      []byte   `json:"line,omitempty"` // the beginning of a message
	Long      bool     `json:"long,omitempty"`
	Arrived   []int    `json:"arrived,omitempty"`   // descriptors that came with it
	Unwritten []byte   `json:"unwritten,omitempty"` // to the process
	Unacked   []string `json:"unacked,omitempty"`   // descriptors on their way: what follows if one does not arrive
}

type carriedSocket struct {
	App     string           `json:"app"`
	Address protocol.Address `json:"address"`
	FD      int              `json:"fd"`
	Claims  []carriedClaim   `json:"claims"`
}

type carriedClaim struct {
	Instance   int   `json:"instance"`
	Generation int64 `json:"generation"`
}

// carriedWant is a launch's request that waits for a socket.
type carriedWant struct {
	Launch  int              `json:"launch"`
	Address protocol.Address `json:"address"`
	ID      int64            `json:"id"`
}

// gatherer collects what is carried and which descriptors belong to it.
type gatherer struct {
	carried
	open []int
	logs *logs.Carrier
	err  error
}

// gather describes everything. k.mu is held, and all is quiet.
func (k *keeper) gather(req protocol.ExecReq) (*carried, []int, error) {
	g := &gatherer{carried: carried{Version: carryVersion, Options: k.opts, Since: k.since, Stash: k.stash}}
	g.logs = k.logs.Carry(g.fd)
	g.Options.Ready, g.Options.Daemon = nil, req.Daemon
	g.Lock, g.Place, g.Listener = g.fd(k.lock), g.fd(k.place), g.fd(k.listener)
	indexes := map[*launch]int{}
	for _, l := range k.launches {
		indexes[l] = g.launch(l, false)
	}
	for l := range k.talking {
		if _, known := indexes[l]; !known {
			indexes[l] = g.launch(l, true)
		}
	}
	g.Streams, g.Files = g.logs.Streams, g.logs.Files
	for app, sockets := range k.held {
		for _, s := range sockets {
			g.socket(app, s)
		}
	}
	for _, w := range k.wanting {
		if i, known := indexes[w.launch]; known && g.Launches[i].Channel != nil {
			g.Wanting = append(g.Wanting, carriedWant{Launch: i, Address: w.address, ID: w.id})
		}
	}
	return &g.carried, g.open, g.err
}

// fd is the number of a descriptor that stays open.
func (g *gatherer) fd(c syscall.Conn) int {
	raw, err := c.SyscallConn()
	n := -1
	if err == nil {
		err = raw.Control(func(fd uintptr) { n = int(fd) })
	}
	if err != nil {
		g.err = fmt.Errorf("cannot hand a descriptor over: %w", err)
	}
	g.open = append(g.open, n)
	return n
}

func (g *gatherer) launch(l *launch, acked bool) int {
	c := carriedLaunch{
		Running: protocol.Running{Key: l.key, Launched: l.launched, Ready: l.ready, Listening: l.listening, Drained: l.drained, Exit: l.exit},
		Grace:   l.grace, Holds: l.holds, Server: l.server, Released: l.released, Acked: acked,
	}
	for _, s := range l.streams {
		c.Streams = append(c.Streams, g.logs.Stream(s))
	}
	if l.channel != nil {
		select {
		case <-l.channel.closed:
		default:
			c.Channel = g.channel(l.channel)
		}
	}
	g.Launches = append(g.Launches, c)
	return len(g.Launches) - 1
}

func (g *gatherer) channel(c *channel) *carriedChannel {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &carriedChannel{FD: g.fd(c.conn), Line: c.in.line, Long: c.in.long, Unwritten: c.unwritten}
	for _, d := range c.conn.Arrived {
		out.Arrived = append(out.Arrived, d.FD)
	}
	g.open = append(g.open, out.Arrived...)
	for _, p := range c.unacked {
		out.Unacked = append(out.Unacked, p.nack)
	}
	return out
}

func (g *gatherer) socket(app string, s *heldSocket) {
	c := carriedSocket{App: app, Address: s.address, FD: s.socket.FD}
	for _, claim := range slices.Collect(maps.Keys(s.claims)) {
		c.Claims = append(c.Claims, carriedClaim{Instance: claim.instance, Generation: claim.generation})
	}
	g.open = append(g.open, s.socket.FD)
	g.Held = append(g.Held, c)
}
