package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"devstack/infra"
	"devstack/stack"
	"devstack/view"
)

// Observe asks for containers, networks, volumes and images at once.
func (d *Driver) Observe(ctx context.Context, project string, p *types.Project) (infra.Observed, error) {
	var obs infra.Observed
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		obs.Containers, obs.Others, err = d.api.containers(ctx, project, p)
		return err
	})
	all.Go(func() (err error) {
		obs.Networks, err = d.api.networks(ctx, project, p)
		return err
	})
	all.Go(func() (err error) {
		obs.Volumes, err = d.api.volumes(ctx, project, p)
		return err
	})
	all.Go(func() (err error) {
		obs.Images, err = d.api.images(ctx, p)
		return err
	})
	if err := all.Wait(); err != nil {
		return obs, fmt.Errorf("cannot ask the container engine: %w", err)
	}
	return obs, nil
}

// containers lists all and inspects those of the project: that have its label, a hash, and are not of `compose run`.
func (e engine) containers(ctx context.Context, project string, p *types.Project) ([]infra.Container, []infra.Other, error) {
	list, err := e.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, nil, err
	}
	var mine []container.Summary
	var others []infra.Other
	for _, c := range list.Items {
		if c.Labels[infra.LabelProject] == project && c.Labels[infra.LabelHash] != "" && c.Labels[infra.LabelOneoff] == "False" {
			mine = append(mine, c)
			continue
		}
		other := infra.Other{ID: c.ID, Project: c.Labels[infra.LabelProject], State: string(c.State)}
		if len(c.Names) > 0 {
			other.Name = strings.TrimPrefix(c.Names[0], "/")
		}
		for _, port := range c.Ports {
			if port.PublicPort != 0 {
				other.Ports = append(other.Ports, view.PublishedPort{HostIP: addr(port.IP), HostPort: int(port.PublicPort), ContainerPort: int(port.PrivatePort), Protocol: port.Type})
			}
		}
		others = append(others, other)
	}
	out := make([]infra.Container, len(mine))
	all, ctx := errgroup.WithContext(ctx)
	for n, c := range mine {
		all.Go(func() error {
			seen, err := e.inspect(ctx, c.ID, p)
			if errors.Is(err, infra.ErrNotFound) {
				return nil // removed since the list was made
			}
			out[n] = seen
			return err
		})
	}
	err = all.Wait()
	return slices.DeleteFunc(out, func(c infra.Container) bool { return c.ID == "" || c.State == "removing" }), others, err
}

// Inspect is one container.
func (d *Driver) Inspect(ctx context.Context, id string) (infra.Container, error) {
	return d.api.inspect(ctx, id, nil)
}

func (e engine) inspect(ctx context.Context, id string, p *types.Project) (infra.Container, error) {
	result, err := e.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return infra.Container{}, infra.ErrNotFound
	}
	if err != nil {
		return infra.Container{}, err
	}
	seen := translate(result.Container)
	if p != nil {
		seen.SameConfig = e.sameConfig(ctx, p, seen, result.Container)
	}
	return seen, nil
}

// translate reads what the engine says about a container.
func translate(c container.InspectResponse) infra.Container {
	out := infra.Container{
		ID: c.ID, Name: strings.TrimPrefix(c.Name, "/"), EngineHealth: "none", Restarts: c.RestartCount,
		Argv: append([]string{c.Path}, c.Args...), Networks: map[string]string{},
	}
	if s := c.State; s != nil {
		out.State, out.ExitCode, out.OOMKilled = string(s.Status), s.ExitCode, s.OOMKilled
		out.StartedAt, out.FinishedAt = instant(s.StartedAt), instant(s.FinishedAt)
		if s.Health != nil && s.Health.Status != "" {
			out.EngineHealth = string(s.Health.Status)
			if n := len(s.Health.Log); n > 0 {
				out.HealthOutput = strings.TrimSpace(s.Health.Log[n-1].Output)
			}
		}
	}
	if f := c.Config; f != nil {
		out.Service, out.Labels, out.Image, out.Env = f.Labels[infra.LabelService], f.Labels, f.Image, f.Env
		out.StopSignal, out.Tty, out.Shell = f.StopSignal, f.Tty, f.Shell
		if h := f.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
			out.HealthTest, out.HealthWait = h.Test, h.Timeout
		}
	}
	if c.HostConfig != nil {
		out.Policy = string(c.HostConfig.RestartPolicy.Name)
	}
	for _, m := range c.Mounts {
		if m.Type == "volume" {
			out.Mounts = append(out.Mounts, infra.Mount{Volume: m.Name, Target: m.Destination})
		}
	}
	if c.NetworkSettings != nil {
		for name, e := range c.NetworkSettings.Networks {
			id := ""
			if e != nil {
				id = e.NetworkID
			}
			out.Networks[name] = id
		}
		out.Ports = publishedPorts(c.NetworkSettings.Ports)
	}
	return out
}

func publishedPorts(ports network.PortMap) []view.PublishedPort {
	var out []view.PublishedPort
	for port, bindings := range ports {
		for _, b := range bindings {
			var host int
			if _, err := fmt.Sscan(b.HostPort, &host); err != nil {
				continue
			}
			out = append(out, view.PublishedPort{HostIP: addr(b.HostIP), HostPort: host, ContainerPort: int(port.Num()), Protocol: string(port.Proto())})
		}
	}
	slices.SortFunc(out, func(a, b view.PublishedPort) int {
		if a.ContainerPort != b.ContainerPort {
			return a.ContainerPort - b.ContainerPort
		}
		return strings.Compare(a.HostIP, b.HostIP)
	})
	return out
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// instant reads the engine's times; the year 1 means never.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

// networks are those that p names, exactly (the engine's own filter also finds parts of names), and the project's, oldest
// first.
func (e engine) networks(ctx context.Context, project string, p *types.Project) (map[string][]infra.Network, error) {
	list, err := e.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	if p != nil {
		for n := range maps.Values(p.Networks) {
			named[n.Name] = true
		}
	}
	out := map[string][]infra.Network{}
	slices.SortFunc(list.Items, func(a, b network.Summary) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	for _, n := range list.Items {
		if named[n.Name] || n.Labels[infra.LabelProject] == project {
			out[n.Name] = append(out[n.Name], infra.Network{ID: n.ID, Name: n.Name, Labels: n.Labels})
		}
	}
	return out, nil
}

func (e engine) volumes(ctx context.Context, project string, p *types.Project) (map[string]infra.Volume, error) {
	list, err := e.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	if p != nil {
		for v := range maps.Values(p.Volumes) {
			named[v.Name] = true
		}
	}
	out := map[string]infra.Volume{}
	for _, v := range list.Items {
		if named[v.Name] || v.Labels[infra.LabelProject] == project {
			out[v.Name] = infra.Volume{Name: v.Name, Labels: v.Labels}
		}
	}
	return out, nil
}

func (e engine) images(ctx context.Context, p *types.Project) (map[string]infra.Image, error) {
	out := map[string]infra.Image{}
	if p == nil {
		return out, nil
	}
	for _, s := range p.Services {
		name := infra.ImageName(p.Name, s)
		if _, known := out[name]; known {
			continue
		}
		found, err := e.image(ctx, name)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[name] = found
	}
	return out, nil
}

// image is a local image with the ID that docker compose labels containers with: of the platform's manifest where the engine
// tells (API 1.48), of the image elsewhere.
func (e engine) image(ctx context.Context, name string) (infra.Image, error) {
	var options []client.ImageInspectOption
	if e.atLeast(48) {
		options = append(options, client.ImageInspectWithManifests(true))
	}
	seen, err := e.ImageInspect(ctx, name, options...)
	if err != nil {
		return infra.Image{}, err
	}
	checked := seen.Config != nil && seen.Config.Healthcheck != nil && len(seen.Config.Healthcheck.Test) > 0 && seen.Config.Healthcheck.Test[0] != "NONE"
	return infra.Image{ID: manifestID(seen.InspectResponse), TaggedAt: seen.Metadata.LastTagTime, Healthcheck: checked}, nil
}

func manifestID(i image.InspectResponse) string {
	var local []image.ManifestSummary
	for _, m := range i.Manifests {
		if m.Kind == image.ManifestKindImage && m.Available {
			local = append(local, m)
		}
	}
	for _, m := range local {
		if m.ImageData != nil && m.ImageData.Platform.OS == i.Os && m.ImageData.Platform.Architecture == i.Architecture {
			return m.ID
		}
	}
	if len(local) == 1 {
		return local[0].ID
	}
	return i.ID
}

// atLeast says that the engine's API is 1.minor or newer.
func (e engine) atLeast(minor int) bool {
	var major, have int
	_, err := fmt.Sscanf(e.ClientVersion(), "%d.%d", &major, &have)
	return err == nil && (major > 1 || have >= minor)
}

// sameConfig compares what a container is with what the Compose file asks for. It is needed where another version of Compose
// made the container, whose hashes may be others for the same definition.
func (e engine) sameConfig(ctx context.Context, p *types.Project, seen infra.Container, have container.InspectResponse) bool {
	s, known := p.Services[seen.Service]
	if !known || seen.Labels[infra.LabelVersion] == infra.ComposeVersion {
		return false
	}
	if hash, err := stack.ServiceHash(s); err != nil || hash == seen.Labels[infra.LabelHash] {
		return err == nil
	}
	want, err := translateService(p, s)
	if err != nil {
		return false
	}
	img, err := e.ImageInspect(ctx, infra.ImageName(p.Name, s))
	return err == nil && equalConfig(want, have, img.InspectResponse)
}
