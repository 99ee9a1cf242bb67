package node

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devstack/bench/freeport"
)

// TestLeftAlone lists what must be as if the shim were not there: the app prints "done" and ends by itself.
func TestLeftAlone(t *testing.T) {
	port := freeport.Get(t)
	for _, tc := range []struct{ name, source string }{
		{"port 0", `require('net').createServer().listen(0, finish)`},
		{"no port", `require('net').createServer().listen(finish)`},
		{"path", `require('net').createServer().listen(PATH, finish)`},
		{"path in options", `require('net').createServer().listen({path: PATH}, finish)`},
		{"exclusive", `require('net').createServer().listen({port: PORT, exclusive: true}, finish)`},
		{"reusePort", `require('net').createServer().listen({port: PORT, reusePort: true}, finish)`},
		{"fd", `require('net').createServer().on('error', e => console.log(e.code === 'EINVAL' && 'done')).listen({fd: 99})`},
		{"handle", `require('net').createServer().listen(require('net')._createServerHandle('127.0.0.1', PORT, 4), finish)`},
		{"udp", `const s = require('dgram').createSocket('udp4').bind(PORT, () => s.close(() => console.log('done')))`},
		{"nothing", `console.log('done')`},
		{"wrong arguments", `try { require('net').createServer().listen(-1) } catch (e) { console.log(e instanceof RangeError && 'done') }`},
		{"wrong host", `require('net').createServer().on('error', e => console.log(e.code === 'ENOTFOUND' && 'done')).listen(PORT, 'no.such.invalid')`},
		{"not available", `require('net').createServer().on('error', e => console.log(e.code === 'EADDRNOTAVAIL' && 'done')).listen(PORT, '192.0.2.1')`},
		{"its own address twice", `const a = require('net').createServer().listen({port: PORT, exclusive: true}, () => {
			require('net').createServer().on('error', e => { a.close(); console.log(e.code === 'EADDRINUSE' && 'done') }).listen(PORT) })`},
		{"aborted", `const c = new AbortController(); c.abort()
			require('net').createServer().on('close', () => console.log('done')).listen({port: 0, signal: c.signal})`},
		{"worker thread", `new (require('worker_threads').Worker)(` + "`require('net').createServer().listen(PORT, function () { this.close(() => console.log('done')) })`" + `, {eval: true})`},
		{"after disconnect", `process.disconnect(); require('net').createServer().listen(PORT, finish)`},
		{"environment", `console.log('NODE_OPTIONS' in process.env || 'DEVSTACK_HELD' in process.env || 'done')`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			source := strings.NewReplacer("PORT", fmt.Sprint(port), "PATH", fmt.Sprintf("%q", filepath.Join(t.TempDir(), "s"))).Replace(tc.source)
			p := newKeeper(t).run("const finish = function () { this.close(() => console.log('done')) }\n" + source)
			p.expect("exit exit status 0")
			p.expect("done")
			if rest := p.seen(); len(rest) > 0 && tc.name != "its own address twice" {
				t.Errorf("unexpected: %q", rest)
			}
		})
	}
}

// TestOwnAddressTwice has the app listen twice where the shim holds: it gets Node's error, not its own socket again.
func TestOwnAddressTwice(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	source := fmt.Sprintf(`const a = require('net').createServer().listen(%d, () => {
		for (const host of [undefined, '127.0.0.1'])
			require('net').createServer().on('error', e => console.log(e.code, host)).listen(%[1]d, host) })`, port)
	for range 2 {
		p := k.run(source)
		p.expect("EADDRINUSE undefined")
		p.expect("EADDRINUSE 127.0.0.1")
		p.never("want")
		p.never("EADDRINUSE")
		p.kill(syscall.SIGKILL)
	}
}

// TestDescendants shows that nothing that an app starts knows of the shim or has the sockets.
func TestDescendants(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	child := `console.log(process.argv[1] ?? 'script', process.env.NODE_OPTIONS, process.env.DEVSTACK_HELD,
		require('net').Server.prototype.listen.toString().includes('requests'),
		require('fs').readdirSync('/proc/self/fd').filter(n => { try { return require('fs').readlinkSync('/proc/self/fd/' + n).startsWith('socket:') } catch {} }).length)`
	source := `if (process.argv[2] === 'child') { ` + child + ` } else {
		const {fork, spawn} = require('child_process'), s = require('net').createServer()
		s.listen(` + fmt.Sprint(port) + `, () => {
			const shown = c => { c.stdout.on('data', d => console.log('child', c.spawnargs[1] === '-e' ? 'spawned' : 'forked', String(d).split(' ').slice(1).join(' ').trim())) }
			shown(spawn(process.execPath, ['-e', ` + "`" + child + "`" + `]))
			shown(fork(__filename, ['child'], {stdio: ['ignore', 'pipe', 'inherit', 'ipc']}))
		}) }`
	for range 2 {
		p := k.run(source)
		if got, want := p.expect("child spawned"), "child spawned undefined undefined false 3"; got != want {
			t.Errorf("%q, not %q", got, want) // its three sockets are stdin, stdout and stderr
		}
		if got, want := p.expect("child forked"), "child forked undefined undefined false 2"; got != want {
			t.Errorf("%q, not %q", got, want) // stdout and its channel
		}
		p.kill(syscall.SIGKILL)
	}
}

// TestWatchMode runs the app in a child of node --watch, whose channel is not the keeper's.
func TestWatchMode(t *testing.T) {
	port := freeport.Get(t)
	p := newKeeper(t).run(fmt.Sprintf(`require('net').createServer().listen(%d, () => {
		console.log('up', process.env.NODE_OPTIONS) })`, port), "--watch")
	p.expect("up undefined")
	p.never("listening")
	p.kill(syscall.SIGTERM)
}

// TestOwnMessages shows that the app's own messages stay complete and in order around ours, in both directions.
func TestOwnMessages(t *testing.T) {
	k, port := newKeeper(t), freeport.Get(t)
	p := k.run(fmt.Sprintf(`process.on('message', m => { console.log('got', m.length ?? JSON.stringify(m)); if (m === 'bye') process.disconnect(), s.close() })
		process.send(0)
		const s = require('http').createServer().listen(%d, () => {
			process.send(3)
			process.send({big: 'x'.repeat(100000)}, () => process.send('ready'))
		})
		process.send(1); process.send({cmd: 'mine', n: 2})`, port))
	for _, want := range []string{"ipc 0", "ipc 1", `ipc {"cmd":"mine","n":2}`, "ipc 3", `ipc {"big":"xxx`, `ipc "ready"`} {
		got := p.expect("ipc ")
		if !strings.HasPrefix(got, want) {
			t.Fatalf("%.40q instead of %q", got, want)
		}
		if strings.Contains(want, "big") && len(got) != len(`ipc {"big":""}`)+100000 {
			t.Errorf("the big message has %d bytes", len(got))
		}
	}
	p.expect("listening")
	p.say(fmt.Sprintf("%q", strings.Repeat("y", 100000)), nil)
	p.say(`{"cmd":"NODE_DEVSTACK","unknown":true}`, nil)
	p.say(`{"hello":1}`, nil)
	p.say(`"bye"`, nil)
	for _, want := range []string{"got 100000", `got {"hello":1}`, "got 3"} {
		if got := p.expect("got"); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
	p.expect("exit exit status 0")
}

// TestKeepsNothingAlive has apps that have no reason to go on after they have listened.
func TestKeepsNothingAlive(t *testing.T) {
	for name, source := range map[string]string{
		"closed": `const s = require('http').createServer().listen(PORT, () => s.close())`,
		"unref":  `require('http').createServer().listen(PORT, () => console.log('up')).unref()`,
	} {
		t.Run(name, func(t *testing.T) {
			k, port := newKeeper(t), freeport.Get(t)
			for range 2 {
				p := k.run(strings.ReplaceAll(source, "PORT", fmt.Sprint(port)))
				p.expect("exit exit status 0")
			}
		})
	}
}

// TestLastWords has an app end right after it has sent something behind the handle.
func TestLastWords(t *testing.T) {
	port := freeport.Get(t)
	p := newKeeper(t).run(fmt.Sprintf(`const s = require('http').createServer().listen(%d, () => { process.send('last'); s.close() })`, port))
	p.expect("exit exit status 0")
	p.expect(`ipc "last"`)
}

// TestGoneKeeper closes the channel under an app: it listens on, and can listen again.
func TestGoneKeeper(t *testing.T) {
	k, port, other := newKeeper(t), freeport.Get(t), freeport.Get(t)
	p := k.run(fmt.Sprintf(`const http = require('http')
		http.createServer((q, r) => http.createServer((q, r) => r.end()).listen(%d, () => r.end())).listen(%d, () => console.log('up'))`, other, port))
	p.expect("up")
	p.expect("listening")
	_ = p.channel.Close()
	ask(t, dial(t, "localhost", port), "/")
	ask(t, dial(t, "localhost", other), "/")
}
