package keeper

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"devstack/procs/keeper/ipc"
	"devstack/procs/keeper/logs"
	"devstack/procs/keeper/protocol"
	"devstack/procs/keeper/sockets"
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
	Grace    protocol.Grace      `json:"grace"`
	Holds    bool                `json:"holds,omitempty"`
	Server   bool                `json:"server,omitempty"`
	Released bool                `json:"released,omitempty"`
	Acked    bool                `json:"acked,omitempty"` // its exit is on record: only its channel is still open
	Streams  []int               `json:"streams,omitempty"`
	Channel  *ipc.CarriedChannel `json:"channel,omitempty"`
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

// gather describes everything. The caller holds the locks, and all is quiet.
func gather(k *keeper, req protocol.ExecReq) (*carried, []int, error) {
	g := &gatherer{carried: carried{Version: carryVersion, Options: k.opts, Since: k.since, Stash: k.stash.get()}}
	g.logs = k.logs.Carry(g.fd)
	g.Options.Ready, g.Options.Daemon = nil, req.Daemon
	g.Lock, g.Place, g.Listener = g.fd(k.lock), g.fd(k.place), g.fd(k.daemon.listener)
	indexes := map[*launch]int{}
	for _, l := range k.launches.byKey {
		indexes[l] = g.launch(l, false)
	}
	for l := range k.launches.talking {
		if _, known := indexes[l]; !known {
			indexes[l] = g.launch(l, true)
		}
	}
	g.Streams, g.Files = g.logs.Streams, g.logs.Files
	for app, held := range k.sockets.held {
		for _, s := range held {
			g.socket(app, s)
		}
	}
	for _, w := range k.sockets.requests {
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
		c.Channel = g.channel(l.channel)
	}
	g.Launches = append(g.Launches, c)
	return len(g.Launches) - 1
}

// channel is nil for one that its process has closed.
func (g *gatherer) channel(c *ipc.Channel) *ipc.CarriedChannel {
	r := c.Carry(g.fd)
	if r != nil {
		g.open = append(g.open, r.Arrived...)
	}
	return r
}

func (g *gatherer) socket(app string, s *sockets.Held) {
	c := carriedSocket{App: app, Address: s.Address, FD: s.Socket.FD}
	for _, claim := range slices.Collect(maps.Keys(s.Claims)) {
		c.Claims = append(c.Claims, carriedClaim{Instance: claim.Instance, Generation: claim.Generation})
	}
	g.open = append(g.open, s.Socket.FD)
	g.Held = append(g.Held, c)
}
