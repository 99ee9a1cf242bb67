package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A directory and its path part when it is moved, or removed and made again, while its stack runs. Whatever is done, one
// keeper runs in one place, each app once, and `down` leaves nothing.

// displacement is one way in which a directory and its path part, and where `up` is run afterwards.
type displacement struct {
	name string
	part func(p *places)
	up   []string // the directories, in which every stack runs once then
	note string   // what the first up says
}

func displacements() []displacement {
	return []displacement{
		{
			"removed and made again", func(p *places) { p.up("proj"); p.remove("proj"); p.make("proj") },
			[]string{"proj"},
			"was started in the directory that was",
		},
		{
			"moved away and made again", func(p *places) { p.up("proj"); p.move("proj", "old"); p.make("proj") },
			[]string{"proj"},
			"was started in the directory that was",
		},
		{
			"moved", func(p *places) { p.up("proj"); p.move("proj", "proj2") },
			[]string{"proj2"},
			"when the stack that runs was started",
		},
		{
			"above it moved", func(p *places) { p.make("above/proj"); p.up("above/proj"); p.move("above", "beyond") },
			[]string{"beyond/proj"},
			"when the stack that runs was started",
		},
		{"moved in a circle", func(p *places) {
			p.make("other")
			p.up("proj", "other")
			p.move("proj", "third")
			p.move("other", "proj")
			p.move("third", "other")
		}, []string{"proj", "other"}, "when the stack that runs was started"},
		{
			"moved onto the place of another", func(p *places) { p.make("other"); p.up("proj", "other"); p.remove("proj"); p.move("other", "proj") },
			[]string{"proj"},
			"when the stack that runs was started",
		},
		{
			"moved and back", func(p *places) { p.up("proj"); p.move("proj", "proj2"); p.move("proj2", "proj") },
			[]string{"proj"},
			"",
		},
		{
			"moved after kill -9 of keeper and daemon", func(p *places) { p.up("proj"); p.killAll(); p.move("proj", "proj2") },
			[]string{"proj2"},
			"",
		},
		{"a link to it replaced", func(p *places) {
			p.link("proj", "current")
			p.up("current")
			p.remove("proj")
			p.make("proj")
			p.link("proj", "current")
		}, []string{"current"}, "was started in the directory that was"},
	}
}

func TestDisplacedDirectories(t *testing.T) {
	t.Parallel()
	for _, d := range displacements() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			newPlaces(t).undergo(d)
		})
	}
}

// All of them again and again, if asked for.
func TestSoakDisplacedDirectories(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	for round := range rounds(t, 1, 50) {
		for _, d := range displacements() {
			t.Run(fmt.Sprintf("%d %s", round+1, d.name), func(t *testing.T) {
				q := &places{p.as(t)}
				q.undergo(d)
				for _, name := range []string{"proj", "proj2", "old", "other", "above", "beyond", "current"} {
					q.remove(name)
				}
				q.make("proj")
			})
		}
	}
}

func (p *places) undergo(d displacement) {
	p.t.Helper()
	d.part(p)
	for i, name := range d.up {
		r := p.in(name, "up")
		if r.code != 0 {
			p.t.Fatal(r)
		}
		if i == 0 && !strings.Contains(r.stderr, d.note) || d.note == "" && strings.Contains(r.stderr, "note:") {
			p.t.Errorf("does not say %q: %s", d.note, r)
		}
	}
	p.runs(len(d.up))
	for _, name := range d.up {
		if r := p.in(name, "up"); r.code != 0 || strings.Contains(r.stderr, "note:") {
			p.t.Errorf("a second up: %s", r)
		}
	}
	p.runs(len(d.up))
	for _, name := range d.up {
		if r := p.in(name, "down"); r.code != 0 {
			p.t.Error(r)
		}
	}
	p.nothingRuns()
}

// In a moved directory, commands that look and commands that end work on its stack, which was started under another path.
func TestCommandsInAMovedDirectory(t *testing.T) {
	t.Parallel()
	for _, end := range [][]string{{"down"}, {"kill"}, {"stop", "app"}} {
		t.Run(end[0], func(t *testing.T) {
			t.Parallel()
			p := newPlaces(t)
			p.up("proj")
			p.move("proj", "proj2")
			for _, args := range [][]string{
				{"ps"}, {"why", "app"}, {"describe", "app"}, {"health"}, {"pid", "app"}, {"jlist"}, {"logs", "--no-follow"}, {"daemon", "restart"}, {"up", "--dry-run"},
			} {
				r := p.in("proj2", args...)
				if r.code != 0 || !strings.Contains(r.stderr, "this directory was "+filepath.Join(p.dir, "proj")+" when") {
					t.Error(r)
				}
				if want := map[string]string{"ps": "online", "logs": "says this"}[args[0]]; !strings.Contains(r.stdout, want) {
					t.Errorf("no %q: %s", want, r)
				}
			}
			p.runs(1)
			if r := p.in("proj2", end...); r.code != 0 {
				t.Error(r)
			}
			if end[0] != "stop" {
				p.nothingRuns()
			} else if left := p.executing("sleep"); len(left) > 0 {
				t.Errorf("left after stop: %v", left)
			}
			if r := p.in("proj2", "down"); r.code != 0 {
				t.Error(r)
			}
			p.nothingRuns()
		})
	}
}

// A stack whose directory was made again, empty or not, can be looked at and ended.
func TestCommandsInADirectoryMadeAgain(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	for _, again := range []func(){func() { p.make("proj") }, func() { p.mkdir("proj") }} {
		p.remove("proj")
		p.make("proj")
		p.up("proj")
		p.remove("proj")
		again()
		if r := p.in("proj", "ps"); r.code != 0 || !strings.Contains(r.stdout, "online") || !strings.Contains(r.stderr, "in the directory that was") {
			t.Error(r)
		}
		p.runs(1)
		if r := p.in("proj", "down"); r.code != 0 {
			t.Error(r)
		}
		p.nothingRuns()
	}
}

// A stack of the same path under another DEVSTACK_HOME is neither ended nor doubled.
func TestAnotherHomeOfADirectoryMadeAgain(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	p.up("proj")
	before := p.executing("sleep")
	p.remove("proj")
	p.make("proj")
	home, err := os.MkdirTemp("", "ds-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	r := p.runWith(filepath.Join(p.dir, "proj"), []string{"DEVSTACK_HOME=" + home}, "up")
	if r.code == 0 || !strings.Contains(r.stderr, "another DEVSTACK_HOME") {
		t.Error(r)
	}
	p.runs(1)
	if now := p.executing("sleep"); len(now) != 1 || now[0].pid != before[0].pid {
		t.Errorf("another process runs: %v, before %v", now, before)
	}
}

// The services of a moved directory go on if they have the same name there, and end if they would be others.
func TestServicesOfAMovedDirectory(t *testing.T) {
	t.Parallel()
	if err := ready(); err != nil {
		t.Fatal(err)
	}
	for name, compose := range map[string]string{"named": "name: ${STACK_NAME}\n", "named by the directory": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlaces(t)
			from, to := p.name, p.name
			if compose == "" {
				to += "-2"
			}
			p.move("proj", from)
			p.write(from+"/.env", p.settings())
			p.write(from+"/compose.yaml", compose+"services:\n  redis: {image: \"redis:7-alpine\", ports: [\"${REDIS_PORT}:6379\"]}\n")
			p.write(from+"/ecosystem.yaml", "compose: compose.yaml\napps:\n  - {name: app, command: [sleep, '1000'], depends_on: [redis]}\n")
			p.up(from)
			before := p.labelled("container")
			p.move(from, p.name+"-2")
			p.up(p.name + "-2")
			p.runs(1)
			after := p.labelled("container")
			if compose != "" && !slices.Equal(before, after) || compose == "" && len(after) > 0 {
				t.Errorf("containers of %s: %v, before %v", from, after, before)
			}
			p.name = to
			if all := p.labelled("container"); len(all) != 1 {
				t.Errorf("containers of %s: %v", to, all)
			}
			if r := p.in(from+"-2", "down", "-v"); r.code != 0 {
				t.Error(r)
			}
			p.nothingRuns()
		})
	}
}

// Many `up` at once in a moved directory: one ends the old stack, and none the new one.
func TestManyUpsInAMovedDirectory(t *testing.T) {
	t.Parallel()
	p := newPlaces(t)
	p.up("proj")
	p.move("proj", "proj2")
	ended := make(chan result)
	for range 4 {
		go func() { ended <- p.in("proj2", "up") }()
	}
	for range 4 {
		if r := <-ended; r.code != 0 {
			t.Error(r)
		}
	}
	p.runs(1)
	if r := p.in("proj2", "down"); r.code != 0 {
		t.Error(r)
	}
	p.nothingRuns()
}

// places are directories with stacks beside each other, of one DEVSTACK_HOME.
type places struct{ *project }

// newPlaces has the directory proj, whose stack is one app.
func newPlaces(t *testing.T) *places {
	t.Helper()
	p := &places{newProject(t)}
	if err := os.Remove(filepath.Join(p.dir, ".env")); err != nil {
		t.Fatal(err)
	}
	p.make("proj")
	return p
}

func (p *places) make(name string) {
	p.t.Helper()
	p.write(filepath.Join(name, "ecosystem.yaml"), "apps:\n  - {name: app, command: 'echo says this; exec sleep 1000', restart_delay: 100ms}\n")
}

func (p *places) mkdir(name string) {
	p.t.Helper()
	if err := os.Mkdir(filepath.Join(p.dir, name), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *places) up(names ...string) {
	p.t.Helper()
	for _, name := range names {
		if r := p.in(name, "up"); r.code != 0 {
			p.t.Fatal(r)
		}
	}
}

func (p *places) in(name string, args ...string) result {
	p.t.Helper()
	return p.runWith(filepath.Join(p.dir, name), nil, args...)
}

func (p *places) move(from, to string) {
	p.t.Helper()
	if err := os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *places) remove(name string) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}

// link makes or replaces a symbolic link.
func (p *places) link(to, name string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	_ = os.Remove(path)
	if err := os.Symlink(to, path); err != nil {
		p.t.Fatal(err)
	}
}

// killAll kills every keeper, then every daemon; the apps survive.
func (p *places) killAll() {
	p.t.Helper()
	for _, of := range []func() []running{p.keepers, p.daemons} {
		for _, r := range of() {
			kill(p.t, r.pid)
		}
	}
	waitFor(p.t, "keeper and daemon dead", func() (bool, any) {
		left := append(p.keepers(), p.daemons()...)
		return len(left) == 0, left
	})
}

// runs fails the test unless so many stacks run, with one keeper, one daemon and one process each.
func (p *places) runs(stacks int) {
	p.t.Helper()
	for _, exe := range []string{"devstack", "devstackd", "sleep"} {
		if found := p.executing(exe); len(found) != stacks {
			p.t.Errorf("%s runs %d times, not %d: %+v", exe, len(found), stacks, found)
		}
	}
}
