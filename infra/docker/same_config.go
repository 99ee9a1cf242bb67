package docker

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
)

// equalConfig says that a container is what the Compose file asks for, as far as it can be seen from outside: what the image
// gives where the file says nothing counts as asked for.
func equalConfig(want spec, have container.InspectResponse, img image.InspectResponse) bool {
	if have.Config == nil || have.HostConfig == nil || img.Config == nil || have.Image != img.ID {
		return false
	}
	entrypoint, cmd := img.Config.Entrypoint, img.Config.Cmd
	if want.config.Entrypoint != nil {
		entrypoint, cmd = want.config.Entrypoint, nil
	}
	if want.config.Cmd != nil {
		cmd = want.config.Cmd
	}
	h, w := have.Config, want.config
	hh, wh := have.HostConfig, want.host
	return slices.Equal(h.Entrypoint, entrypoint) && slices.Equal(h.Cmd, cmd) &&
		sameSet(h.Env, mergedEnv(img.Config.Env, w.Env)) &&
		h.User == cmp.Or(w.User, img.Config.User) && h.WorkingDir == cmp.Or(w.WorkingDir, img.Config.WorkingDir) &&
		h.StopSignal == cmp.Or(w.StopSignal, img.Config.StopSignal) &&
		(w.Hostname == "" || h.Hostname == w.Hostname) &&
		reflect.DeepEqual(h.StopTimeout, w.StopTimeout) &&
		sameHealth(w.Healthcheck, h.Healthcheck) &&
		sameBindings(hh.PortBindings, wh.PortBindings) &&
		sameSet(hh.Binds, wh.Binds) && len(hh.Mounts) == len(wh.Mounts) &&
		maps.Equal(hh.Tmpfs, wh.Tmpfs) &&
		cmp.Or(hh.RestartPolicy.Name, "no") == cmp.Or(wh.RestartPolicy.Name, "no") &&
		hh.Memory == wh.Memory && hh.NanoCPUs == wh.NanoCPUs && hh.Privileged == wh.Privileged && hh.ReadonlyRootfs == wh.ReadonlyRootfs &&
		(wh.ShmSize == 0 || hh.ShmSize == wh.ShmSize) &&
		len(hh.CapAdd) == len(wh.CapAdd) && len(hh.CapDrop) == len(wh.CapDrop) && len(hh.Ulimits) == len(wh.Ulimits)
}

// mergedEnv is the image's environment with the service's above it.
func mergedEnv(base, over []string) []string {
	out := map[string]string{}
	for _, list := range [][]string{base, over} {
		for _, e := range list {
			out[key(e)] = e
		}
	}
	return slices.Collect(maps.Values(out))
}

func key(e string) string {
	for i := range e {
		if e[i] == '=' {
			return e[:i]
		}
	}
	return e
}

func sameHealth(want, have *container.HealthConfig) bool {
	if want == nil {
		return true // the image's
	}
	return have != nil && slices.Equal(want.Test, have.Test) && want.Interval == have.Interval && want.Timeout == have.Timeout &&
		want.Retries == have.Retries && want.StartPeriod == have.StartPeriod
}

func sameBindings(a, b network.PortMap) bool {
	if len(a) != len(b) {
		return false
	}
	for port, have := range a {
		if !slices.Equal(have, b[port]) {
			return false
		}
	}
	return true
}

// sameSet compares two lists without regard to order.
func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
