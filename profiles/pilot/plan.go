package pilot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/infra/native"
)

// Wanted is the pilot machine of one stack.
type Wanted struct {
	Unit
	From     string   // directory of the executables to be installed; empty: they stay where they are
	Owner    string   // who owns the project's directory
	Reads    []string // files beside ecosystem.yaml that the user must be able to read
	Images   []string // of the services that are used
	Required []string // names of variables
	Missing  []string // of them, what nothing sets
	Node     int      // the oldest major version of Node.js that will do; 0: it is not used
	Build    *Build   // nil: everything is built

	Timeout time.Duration // of the start, until everything is ready
}

// Build makes the scripts that are missing.
type Build struct {
	Command []string // empty: the stack says none
	Dir     string
	Missing []string // relative to the project
}

// Step is one thing that a pilot machine has: how it was found, and what makes it right.
type Step struct {
	Name    string   `json:"name"`
	Found   string   `json:"found"`
	Do      string   `json:"do"` // empty: nothing
	Problem *Problem `json:"problem"`

	Actions []Action `json:"-"`
	Again   bool     `json:"-"` // what follows depends on what this step finds: plan anew after it
}

// Problem is what only a person can repair.
type Problem struct {
	Message string `json:"message"`
	Fix     string `json:"fix"`
	Engine  bool   `json:"-"` // about the services' servers, not about the environment
}

// Action is one effect; exactly one of its fields but for Run's is set.
type Action struct {
	Run []string // a command line
	Dir string   // of Run; empty: /
	Env []string // of Run, beside a PATH

	Limit time.Duration // of Run; 0: none. What it has begun goes on after it

	Write  *File     // parents are made
	Copy   [2]string // an executable, from and to; those that run the old one keep it
	Remove string    // a file
}

// StartStep is the last step of a bootstrap, which alone may have a problem while the others are carried out.
const StartStep = "start"

// Bootstrap plans a whole pilot machine, in order. Steps without actions and problem are as they should be.
func Bootstrap(w Wanted, f Facts) []Step {
	w = w.onMachine(f)
	packaged := []Step{nodejs(w, f), services(w, f)}
	if lists := packageLists(w, f); lists != nil {
		packaged = []Step{*lists} // which Node.js there is to be had is known after it
	}
	return slices.Concat([]Step{systemd(f)}, packaged, []Step{
		user(w, f), project(w, f), directories(w, f), executables(w, f), environment(w, f), build(w, f), logLimits(w, f),
		units(w, f), start(w, f),
	})
}

// Startup plans the units and what they need to start, and starts nothing.
func Startup(w Wanted, f Facts) []Step {
	w = w.onMachine(f)
	return []Step{systemd(f), user(w, f), project(w, f), directories(w, f), units(w, f)}
}

// Unstartup plans the removal of the units. What runs goes on.
func Unstartup(u Unit, f Facts) []Step {
	s := Step{Name: "units", Found: "none of " + u.Project}
	var found []string
	for _, name := range []string{u.infraName(), u.name()} {
		if _, ok := f.Files[unitDir+"/"+name]; ok {
			found = append(found, name)
			s.Actions = append(s.Actions, run("systemctl", "disable", name), Action{Remove: unitDir + "/" + name})
		}
	}
	if len(found) > 0 {
		s.Found, s.Do = strings.Join(found, ", "), "disable and remove them; what runs goes on"
		s.Actions = append(s.Actions, run("systemctl", "daemon-reload"))
	}
	return []Step{systemd(f), s}
}

// onMachine is w with the home that the machine gives the user, if he is there.
func (w Wanted) onMachine(f Facts) Wanted {
	if f.User != nil {
		w.Home = f.User.Home
	}
	return w
}

// Pending says whether a step has something to be done.
func (s Step) Pending() bool { return len(s.Actions) > 0 }

// Blocked are the problems in whose presence nothing is to be touched.
func Blocked(steps []Step) []Problem {
	var all []Problem
	for _, s := range steps {
		if s.Problem != nil && s.Name != StartStep {
			all = append(all, *s.Problem)
		}
	}
	return all
}

// Driver is where a stack's services run: as asked, as the last time, or as the machine can. Engine says whether a Docker
// Engine is there.
func Driver(asked, last string, images []string, engine bool) string {
	switch {
	case len(images) == 0:
		return None
	case asked == Docker || asked == Native:
		return asked
	case last == Docker || last == Native:
		return last
	case engine || slices.ContainsFunc(images, func(image string) bool { return native.ServerOf(image) == "" }):
		return Docker
	}
	return Native
}

func run(argv ...string) Action { return Action{Run: argv} }

// String is the action as a person would do it.
func (a Action) String() string {
	switch {
	case a.Write != nil:
		return fmt.Sprintf("write %s (mode %04o)", a.Write.Path, a.Write.Mode)
	case a.Copy[0] != "":
		return fmt.Sprintf("copy %s to %s", a.Copy[0], a.Copy[1])
	case a.Remove != "":
		return "remove " + a.Remove
	}
	return strings.Join(a.Run, " ")
}
