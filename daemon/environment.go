package daemon

import (
	"net/http"
	"slices"

	"devstack/daemon/api"
	"devstack/stack"
)

// environments answers with the whole environment of what a word means, secrets masked unless they are asked for.
func (l looks) environments(w http.ResponseWriter, r *http.Request) {
	st, picked, refused := l.d.processesOnly([]string{r.PathValue("name")}, "env")
	if refused != nil {
		refuse(w, http.StatusNotFound, &api.Error{Exit: refused.Exit, Message: refused.Error, Hint: refused.Hint})
		return
	}
	reply(w, environmentsOf(st, picked, r.URL.Query().Get("show_secrets") == "true"))
}

// environmentsOf is each process's environment as its definition makes it: what a launch now would get.
func environmentsOf(st *stack.Stack, s selection, showSecrets bool) []api.ProcessEnvironment {
	out := []api.ProcessEnvironment{}
	for _, p := range s.processes {
		i := slices.IndexFunc(st.Apps, func(a stack.App) bool { return a.Name == p.Name })
		if i < 0 {
			continue
		}
		e := api.ProcessEnvironment{Name: p.Name, Instance: p.Instance, ID: p.ID, Environment: []api.EnvironmentItem{}}
		for _, v := range st.Apps[i].Instance(p.Instance).Environment {
			value := v.Value
			if !showSecrets {
				value = stack.Mask(v.Key, v.Value)
			}
			e.Environment = append(e.Environment, api.EnvironmentItem{Key: v.Key, Value: value, Origin: v.Origin})
		}
		out = append(out, e)
	}
	return out
}
