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

// pick finds what the words of a command mean: `all`, ids, namespaces, globs and /regular expressions/ are processes,
// a container is meant by its exact name only. No words are all processes. A word that means nothing is an error, and
// then nothing else is meant either.
func pick(st *stack.Stack, processes []procs.Process, words []string) (apps, services []string, err *api.Error) {
	if len(words) == 0 {
		words = []string{"all"}
	}
	chosen := map[string]bool{}
	for _, word := range words {
		if st.Compose != nil && slices.Contains(st.Compose.ServiceNames(), word) {
			services = append(services, word)
			continue
		}
		found := 0
		for _, p := range processes {
			if means(word, p) {
				chosen[p.App] = true
				found++
			}
		}
		if found == 0 && word != "all" {
			return nil, nil, unknownName(st, word)
		}
	}
	for _, app := range st.Apps {
		if chosen[app.Name] {
			apps = append(apps, app.Name)
		}
	}
	return apps, services, nil
}

// means reports whether a word of a command means a process.
func means(word string, p procs.Process) bool {
	if word == "all" || word == p.App || word == p.Namespace {
		return true
	}
	if id, err := strconv.Atoi(word); err == nil {
		return id == p.ID
	}
	if inner, ok := strings.CutPrefix(word, "/"); ok && strings.HasSuffix(inner, "/") && len(inner) > 1 {
		re, err := regexp.Compile(strings.TrimSuffix(inner, "/"))
		return err == nil && re.MatchString(p.App)
	}
	matched, err := path.Match(word, p.App)
	return err == nil && matched
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
