package daemon

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devstack/daemon/api"
	"devstack/procs"
	"devstack/stack"
)

// selection is what the words of a command mean.
type selection struct {
	processes []procs.Process // in the order of the list, each once
	services  []string
}

// apps are the names of the selected processes, each once.
func (s selection) apps() []string {
	var names []string
	for _, p := range s.processes {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

func (s selection) ids() []int { return idsOf(s.processes) }

func idsOf(processes []procs.Process) []int {
	ids := make([]int, len(processes))
	for i, p := range processes {
		ids[i] = p.ID
	}
	return ids
}

// named is the running stack and what the words of an action mean in it.
func (d *Daemon) named(words []string) (*stack.Stack, selection, *api.Result) {
	st := d.wanted().Stack
	if st == nil {
		return nil, selection{}, notRunning()
	}
	s, err := pick(st, d.procs.Snapshot(), words)
	if err != nil {
		return nil, selection{}, &api.Result{Exit: err.Exit, Error: err.Message, Hint: err.Hint}
	}
	return st, s, nil
}

// processesOnly is what words mean for commands that containers have no part in.
func (d *Daemon) processesOnly(words []string, command string) (*stack.Stack, selection, *api.Result) {
	st, s, refused := d.named(words)
	if refused == nil && len(s.services) > 0 {
		refused = usage("names", s.services[0]+" is a service; "+command+" is for apps", "")
	}
	return st, s, refused
}

// pick finds what the words of a command mean. Each word is tried in PM2's order, and the first kind that finds
// something counts: all, /regular expression/, name, namespace, id, glob. These mean processes; a container is meant by
// its exact name only. No words are all processes. A word that means nothing is an error, and then nothing else is meant
// either. Processes that are on their way out are not meant by anything.
func pick(st *stack.Stack, processes []procs.Process, words []string) (selection, *api.Error) {
	processes = slices.DeleteFunc(slices.Clone(processes), func(p procs.Process) bool { return p.Leaving })
	if len(words) == 0 {
		words = []string{"all"}
	}
	var s selection
	chosen := map[int]bool{}
	for _, word := range words {
		if st.Compose != nil && slices.Contains(st.Compose.ServiceNames(), word) {
			if !slices.Contains(s.services, word) {
				s.services = append(s.services, word)
			}
			continue
		}
		found, err := meant(word, processes)
		if err == nil && len(found) == 0 && word != "all" {
			err = unknownName(st, word)
		}
		if err != nil {
			return selection{}, err
		}
		for _, p := range found {
			chosen[p.ID] = true
		}
	}
	s.processes = slices.DeleteFunc(processes, func(p procs.Process) bool { return !chosen[p.ID] })
	return s, nil
}

// meant are the processes that one word means.
func meant(word string, processes []procs.Process) ([]procs.Process, *api.Error) {
	if word == "all" {
		return processes, nil
	}
	some := func(is func(procs.Process) bool) (found []procs.Process) {
		for _, p := range processes {
			if is(p) {
				found = append(found, p)
			}
		}
		return found
	}
	if len(word) > 2 && strings.HasPrefix(word, "/") && strings.HasSuffix(word, "/") {
		re, err := regexp.Compile(word[1 : len(word)-1])
		if err != nil {
			return nil, &api.Error{Exit: api.ExitUsage, Message: word + " is no regular expression: " + err.Error(), Hint: "write it in Go's syntax, between slashes"}
		}
		return some(func(p procs.Process) bool { return re.MatchString(p.Name) }), nil
	}
	for _, is := range []func(procs.Process) bool{
		func(p procs.Process) bool { return word == p.Name },
		func(p procs.Process) bool { return word == p.Namespace },
		func(p procs.Process) bool { return word == strconv.Itoa(p.ID) },
		func(p procs.Process) bool { matches, err := path.Match(word, p.Name); return err == nil && matches },
	} {
		if found := some(is); len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// unknownName is the refusal of a name that the stack does not have: it lists those that it has.
func unknownName(st *stack.Stack, name string) *api.Error {
	e := &api.Error{Exit: api.ExitUsage, Message: "no app or service is named " + strconv.Quote(name)}
	if st == nil {
		e.Exit, e.Message, e.Hint = api.ExitNotRunning, "no stack is running", "devstack up"
		return e
	}
	if _, err := st.Closure(name); err != nil {
		e.Message = err.Error()
	}
	e.Hint = "known: " + strings.Join(st.Order(), ", ")
	return e
}
