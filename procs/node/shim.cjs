'use strict'
// devstack loads this file into an app before the app's own code (NODE_OPTIONS=--require), so that the sockets the app
// listens on can outlive its process: connections wait while it is started again, and a new launch takes over from an
// old one without refusing any.
//
// What it does: after listen() on a TCP port it passes the listening handle to devstack over the IPC channel; in a
// later launch, listen() on the same host and port gets that handle back. In a reload the new launch accepts only when it
// is told to; the old one, asked to drain, stops accepting and lets the clients leave.
//
// What it promises: the app and its descendants see plain Node.js. It keeps nothing alive, except while it waits for a
// handle or drains; it takes no signal and no message of the app; it removes itself from the environment; where anything
// is unexpected it steps aside. It leaves alone: port 0, paths, {fd}, {handle}, exclusive, reusePort, UDP, worker
// threads, child processes and cluster workers. Of the addresses only host and port are compared, not ipv6Only.

const fs = require('fs')
const net = require('net')
const { AsyncResource } = require('async_hooks')
const { isMainThread } = require('worker_threads')
const { listen, _listen2: listenNow } = net.Server.prototype
const { getSystemErrorName } = require('util')

const BACKLOG = 511 // Node's own
const ANSWER_WITHIN = 5000 // ms, of devstack, when the app waits for a handle
const ACK_WITHIN = 1000 // ms, of devstack, when it was passed a handle
const UNUSED_AFTER = 30000 // ms, until inherited sockets that the app has not asked for are closed
const ROUND = 250 // ms, between looks at who is still connected while draining
const POLITE_ROUNDS = 2 // in which idle clients are only told, by Connection: close, and not cut off
const ROUNDS_AFTER = 4 // in which a drained process stays, for the signal that ends it

const requests = new WeakMap() // server -> {host, port} of its latest listen()
const sessions = new WeakMap() // server -> its HTTP/2 sessions
const listeners = new Set() // {server, handle, host, port}
const wants = new Map() // id -> what to do with the handle, or with none
const unacked = [] // timers, one per handle that was passed on
const send = process.send
const waiting = [] // of a successor: what begins to accept on sockets that others still serve
let patience // the timer that keeps a successor from ending meanwhile
let held = [] // {host, port, fd}: what this launch was born with and has not used; host '*' stands for any
let wanted = 0
let successor = false // in a reload: until devstack says so, it listens and does not accept
let draining = false

// takeEnvironment leaves the environment as it was meant for the app.
function takeEnvironment() {
  const options = process.env.NODE_OPTIONS || ''
  const own = options.lastIndexOf('--require "')
  if (own > 0) process.env.NODE_OPTIONS = options.slice(0, own - 1)
  if (own === 0) delete process.env.NODE_OPTIONS
  successor = process.env.DEVSTACK_SUCCESSOR === '1'
  delete process.env.DEVSTACK_SUCCESSOR
  const sockets = process.env.DEVSTACK_HELD
  delete process.env.DEVSTACK_HELD
  return sockets ? JSON.parse(sockets) : []
}

function tell(message, handle, done = () => {}) {
  if (!process.connected) return done(new Error('no channel'))
  send.call(process, { cmd: 'NODE_DEVSTACK', ...message }, handle, done)
}

// addressOf is what listen(...args) asks for, or undefined if that is to be left alone.
function addressOf(args) {
  const [options] = net._normalizeArgs(args)
  if (options._handle || options.handle || options.fd >= 0 || options.exclusive || options.reusePort) return
  const port = ['number', 'string'].includes(typeof options.port) ? Number(options.port) : 0
  const host = options.host || ''
  if (Number.isInteger(port) && port > 0 && port < 65536 && typeof host === 'string') return { host, port }
}

const live = (listener) => listener.handle.fd >= 0
const everywhere = (host) => ['', '::', '0.0.0.0'].includes(host)

// isOurs: does this process itself listen there? Then the app is to see that the address is in use.
function isOurs({ host, port }) {
  return [...listeners].some((l) => live(l) && l.port === port &&
    (l.host === host || everywhere(l.host) || everywhere(host)))
}

// bound is what Node would listen with: a handle, or the number of an error.
function bound(address, port, addressType, flags, backlog) {
  const handle = net._createServerHandle(address, port, addressType, undefined, flags)
  const err = typeof handle === 'number' ? handle : handle.listen(backlog)
  if (err && typeof handle !== 'number') handle.close()
  return err || handle
}

// inherited is the handle of a held socket, if this launch was born with one for the address.
function inherited(asked, backlog) {
  let at = held.findIndex((h) => h.port === asked.port && h.host === asked.host)
  if (at < 0 && !isOurs(asked)) at = held.findIndex((h) => h.port === asked.port && h.host === '*')
  if (at < 0) return
  const [{ fd }] = held.splice(at, 1)
  if (!fs.fstatSync(fd).isSocket()) return
  const handle = net._createServerHandle(null, null, null, fd)
  if (typeof handle === 'number') return
  const name = {}
  if (!handle.getsockname(name) && name.port === asked.port && !unhurried(handle).listen(backlog)) return handle
  handle.close()
}

// unhurried is the handle; that of a successor accepts nothing yet, so that one that fails has not failed anybody.
function unhurried(handle) {
  if (!successor) return handle
  let backlog
  handle.listen = (n) => { backlog = n; return 0 }
  waiting.push(() => {
    delete handle.listen
    if (handle.fd >= 0) handle.listen(backlog)
  })
  if (!patience) patience = setInterval(() => { if (!process.connected) accept() }, 1000)
  return handle
}

function accept() {
  successor = false
  clearInterval(patience)
  for (const begin of waiting.splice(0)) begin()
}

// want asks devstack for a socket that it holds, and calls done with its handle or, if there is none, without.
function want(asked, done) {
  const id = ++wanted
  const answer = AsyncResource.bind((handle) => {
    clearTimeout(timer)
    wants.delete(id)
    done(handle)
  })
  const timer = setTimeout(answer, ANSWER_WITHIN, undefined)
  wants.set(id, answer)
  tell({ want: asked, id }, undefined, (err) => { if (err && wants.has(id)) answer() })
}

// passOn reports a handle. Until it is acknowledged Node queues what the app sends: so long the process stays.
function passOn(asked, handle) {
  if (process.connected) unacked.push(setTimeout(() => {}, ACK_WITHIN))
  tell({ listening: asked }, handle)
}

// adopt makes the server listen with the handle, and passes it on.
function adopt(server, asked, handle, backlog) {
  const name = {}
  handle.getsockname(name)
  server._handle = handle
  listenNow.call(server, name.address, asked.port, net.isIPv6(name.address) ? 6 : 4, backlog)
  if (server._handle !== handle) return // it failed, and the app gets the error
  for (const l of listeners) if (!live(l)) listeners.delete(l)
  listeners.add({ server, handle, ...asked })
  if (typeof server.updateSettings === 'function' && !sessions.has(server)) trackSessions(server)
  passOn(asked, handle)
}

// trackSessions is for servers of HTTP/2, which do not tell who is connected.
function trackSessions(server) {
  const open = new Set()
  sessions.set(server, open)
  server.on('session', (session) => {
    open.add(session)
    session.once('close', () => open.delete(session))
  })
}

// holdAndListen does what _listen2 does for a server that has no handle yet, or returns false.
function holdAndListen(server, asked, args) {
  const [address, port, addressType, , , flags] = args
  const backlog = args[3] || BACKLOG
  const plainly = () => bound(address, port, addressType, flags, backlog)
  const first = inherited(asked, backlog) || plainly()
  if (typeof first !== 'number') {
    adopt(server, asked, first, backlog)
    return true
  }
  if (getSystemErrorName(first) !== 'EADDRINUSE' || isOurs(asked) || !process.connected) return false
  share(server, asked, backlog, plainly, args)
  return true
}

// share makes the server listen with the handle of another launch or, if nothing is held, binds once more.
function share(server, asked, backlog, plainly, args) {
  const turn = server._listeningId
  let closed = false
  const onClose = () => { closed = true }
  server.once('close', onClose)
  want(asked, (handle) => {
    server.removeListener('close', onClose)
    if (closed || server._listeningId !== turn || server._handle) return handle && handle.close()
    if (!handle || unhurried(handle).listen(backlog)) handle = plainly()
    if (typeof handle === 'number') listenNow.apply(server, args) // and the app gets the error
    else adopt(server, asked, handle, backlog)
  })
}

// feed hands a connection to whoever listens, as if it had been accepted there.
function feed({ host, port }, connection) {
  const listener = [...listeners].find((l) => live(l) && l.host === host && l.port === port)
  if (listener) listener.handle.onconnection.call(listener.handle, 0, connection)
  else connection.close()
}

// stopAccepting leaves the closed handle in its place, so that the app's own server.close() and address() still work.
function stopAccepting({ server, handle }) {
  const name = {}
  handle.getsockname(name)
  handle.getsockname = (out) => { Object.assign(out, name); return 0 }
  handle.close()
  // Only where somebody listens already: the first such listener changes what an HTTP/2 server does.
  if (server.listenerCount('request') > 0) {
    server.prependListener('request', (req, res) => { if (req.httpVersionMajor === 1) res.shouldKeepAlive = false })
  }
}

// tellInFlight makes the answers that are still to come the last ones of their connections. Node keeps the list private.
function tellInFlight(server) {
  const key = Object.getOwnPropertySymbols(server).find((s) => s.description === 'http.server.connections')
  for (const { socket } of (key && server[key] && server[key].all()) || []) {
    const response = socket && socket._httpMessage
    if (response && !response.headersSent) response.shouldKeepAlive = false
  }
}

function letGo(server, round) {
  if (round >= POLITE_ROUNDS && server.closeIdleConnections) server.closeIdleConnections()
  for (const session of sessions.get(server) || []) session.close()
}

// drain says when nobody is connected any more. It cannot know that of the workers of a cluster: then it never does.
function drain() {
  const active = [...listeners].filter(live)
  const servers = [...new Set([...listeners].map((l) => l.server))]
  const clustered = active.some((l) => l.server._handle !== l.handle)
  active.forEach(stopAccepting)
  closeUnused()
  servers.forEach(tellInFlight)
  let round = 0
  let toldIn = Infinity
  const step = async () => {
    for (const server of servers) letGo(server, round)
    round++
    if (servers.every((server) => !server._handle)) timer.unref() // the app has closed them itself, or a cluster has them
    if (round - toldIn >= ROUNDS_AFTER) clearInterval(timer)
    const counts = servers.map((server) => new Promise((resolve) => server.getConnections((err, n) => resolve(err ? 1 : n))))
    if (clustered || toldIn < round || (await Promise.all(counts)).some((n) => n > 0)) return
    toldIn = round
    tell({ drained: true })
  }
  const look = () => step().catch(() => {})
  // In setImmediate, after the poll phase: requests that have arrived are answered before a connection counts as idle.
  const timer = setInterval(setImmediate, ROUND, look)
  setImmediate(look)
}

function closeUnused() {
  for (const { fd } of held.splice(0)) fs.closeSync(fd)
}

function onInternalMessage(message, handle) {
  try {
    take(message, handle)
  } catch {
    // an exception here would be the app's
  }
}

function take(message, handle) {
  if (message.cmd === 'NODE_HANDLE_ACK') clearTimeout(unacked.shift())
  if (message.cmd !== 'NODE_DEVSTACK') return
  const answer = wants.get(message.held || message.free)
  if (answer) answer(handle)
  else if (message.connection && handle) process.nextTick(feed, message.connection, handle) // what the app throws is its own
  else if (handle) handle.close() // it comes too late
  else if (message.accept) accept()
  else if (message.drain && !draining) {
    draining = true
    drain()
  }
}

function start() {
  held = takeEnvironment()
  // `node --watch` runs the app in a child, with a channel of its own.
  const ours = isMainThread && process.connected && !process.env.WATCH_REPORT_DEPENDENCIES
  if (!ours || !listenNow || !net._normalizeArgs || !net._createServerHandle) {
    held = []
    return
  }
  process.on('internalMessage', onInternalMessage)
  if (held.length > 0) setTimeout(closeUnused, UNUSED_AFTER).unref() // it can still get them, by asking
  net.Server.prototype.listen = function (...args) {
    try {
      requests.set(this, addressOf(args))
    } catch {
      // what is wrong with the arguments, Node says better
    }
    return listen.apply(this, args)
  }
  net.Server.prototype._listen2 = function (...args) {
    const asked = requests.get(this)
    requests.delete(this)
    try {
      const [, port, , , fd] = args
      if (asked && asked.port === port && fd === undefined && !this._handle && holdAndListen(this, asked, args)) return
    } catch {
      if (this._handle) return
    }
    return listenNow.apply(this, args)
  }
}

try {
  start()
} catch {
  // then this is plain Node
}
