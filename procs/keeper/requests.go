package keeper

import (
	"errors"
	"os"
	"sync"

	"devstack/procs/keeper/protocol"
)

// requests serves what a daemon asks, by verb.
type requests struct {
	k       *keeper
	table   map[protocol.Verb]handler
	working sync.WaitGroup // those that are answered later, whether their daemon still runs or not
}

// handler serves the requests of one verb: in order, or later and out of order.
type handler struct {
	complete func(*protocol.Message) bool // it has what the verb needs; nil: it needs nothing
	serve    func(*request)
}

// request is what a daemon has asked, and the answer that it gets.
type request struct {
	*protocol.Message
	session *session
	reply   *protocol.Message
}

func (q *request) answer(err error) {
	if err != nil {
		q.reply.Error = protocol.ErrorOf(err)
	}
	q.session.out.add(q.reply)
}

func newRequests(k *keeper) *requests {
	r := &requests{k: k}
	r.table = map[protocol.Verb]handler{
		protocol.Hello:    {nil, r.hello},
		protocol.Start:    {func(m *protocol.Message) bool { return m.Launch != nil }, r.start},
		protocol.Signal:   {func(m *protocol.Message) bool { return m.Signal != nil }, r.signal},
		protocol.Connect:  {func(m *protocol.Message) bool { return m.Connect != nil }, r.connect},
		protocol.Release:  {func(m *protocol.Message) bool { return m.Release != nil }, r.release},
		protocol.List:     {nil, r.list},
		protocol.Ack:      {func(m *protocol.Message) bool { return m.Key != nil }, r.ack},
		protocol.Stash:    {nil, r.stash},
		protocol.Fetch:    {nil, r.fetch},
		protocol.Exec:     {func(m *protocol.Message) bool { return m.Exec != nil }, r.exec},
		protocol.Notify:   {func(m *protocol.Message) bool { return m.Notify != "" }, r.notify},
		protocol.Shutdown: {nil, r.shutdown},
	}
	return r
}

func (r *requests) handle(s *session, m *protocol.Message) {
	q := &request{Message: m, session: s, reply: &protocol.Message{ID: m.ID, Verb: m.Verb}}
	h := r.table[m.Verb]
	if h.serve == nil || h.complete != nil && !h.complete(m) {
		q.answer(errors.New("cannot serve " + string(m.Verb) + ": unknown verb or empty request"))
		return
	}
	h.serve(q)
}

func (r *requests) hello(q *request) {
	q.session.orderly.Store(q.Orderly)
	o := r.k.opts
	q.reply.Version = protocol.ProtocolVersion
	q.reply.Identity = &protocol.Identity{
		Project: o.ID, Dir: o.Dir, StateDir: o.StateDir, Pid: os.Getpid(), Since: r.k.since, Service: serviceOf(os.Getenv, os.Getpid()),
	}
	q.answer(nil)
}

func (r *requests) start(q *request) {
	launched, err := r.k.sockets.launch(*q.Launch)
	if err == nil {
		q.reply.Launched = &launched
	}
	q.answer(err)
}

// signal answers later what may take a while. An upgrade waits for that.
func (r *requests) signal(q *request) {
	if req := *q.Signal; req.Tree || req.Message != "" {
		q.session.requests.Go(func() { q.answer(r.k.launches.signal(req)) })
		return
	}
	q.answer(r.k.launches.signal(*q.Signal))
}

func (r *requests) connect(q *request) {
	r.working.Go(func() {
		d, err := r.k.launches.connect(*q.Connect)
		q.reply.Attached = d
		q.answer(err)
	})
}

func (r *requests) release(q *request) {
	r.k.sockets.release(*q.Release)
	q.answer(nil)
}

func (r *requests) list(q *request) {
	q.reply.List = r.k.launches.list()
	q.answer(nil)
}

func (r *requests) ack(q *request) { q.answer(r.k.launches.ack(*q.Key)) }

func (r *requests) stash(q *request) {
	r.k.stash.put(q.Blob)
	q.answer(nil)
}

func (r *requests) fetch(q *request) {
	q.reply.Blob = r.k.stash.get()
	q.answer(nil)
}

func (r *requests) exec(q *request) {
	r.working.Go(func() { r.k.upgrade.request(q.session, *q.Exec, q.answer) })
}

func (r *requests) notify(q *request) { q.answer(tellService(q.Notify)) }

func (r *requests) shutdown(q *request) {
	r.k.log.Info("asked to end by the daemon", "failed", q.Failed)
	r.k.shutdown.fail(q.Failed, q.Code)
	r.k.shutdown.begin(func() { q.answer(nil) })
}
