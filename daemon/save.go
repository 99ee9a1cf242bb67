package daemon

import (
	"maps"
	"net/http"
	"slices"

	"devstack/daemon/api"
)

// save answers `devstack save`.
func (s *server) save(w http.ResponseWriter, _ *http.Request) {
	saved, refused := save(s.d)
	if refused != nil {
		refuse(w, http.StatusNotFound, refused)
		return
	}
	reply(w, saved)
}

func save(d *Daemon) (api.Saved, *api.Error) {
	if d.wanted().Stack == nil {
		return api.Saved{}, unknownName(nil, "")
	}
	if refused := d.intend(func(*intent) {}); refused != nil {
		return api.Saved{}, &api.Error{Exit: refused.Exit, Message: "cannot save: " + refused.Error}
	}
	if err := d.file.kept(d.ctx); err != nil {
		return api.Saved{}, &api.Error{Exit: api.ExitBug, Message: "cannot save: " + err.Error()}
	}
	return savedOf(d.wanted(), intentPath(d.home.StateDir)), nil
}

// savedOf is what of an intent lasts.
func savedOf(i intent, path string) api.Saved {
	return api.Saved{
		Path: path, SavedAt: i.SavedAt, Stopped: orEmpty(slices.Sorted(maps.Keys(i.Stopped))),
		StoppedInstances: i.StoppedInstances, Started: orEmpty(slices.Sorted(maps.Keys(i.Started))), Instances: i.Instances,
	}
}
