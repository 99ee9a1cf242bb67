package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"devstack/infra"
	"devstack/stack"
)

// CreateContainer creates it with its first network and attaches the others, which API versions before 1.44 do not take
// together.
func (d *Driver) CreateContainer(ctx context.Context, c infra.Create) (string, error) {
	want, err := translateService(c.Project, c.Service)
	if err != nil {
		return "", err
	}
	if want.config.Labels, err = infra.ContainerLabels(c); err != nil {
		return "", err
	}
	d.keepAnonymous(ctx, c, want.host)
	keys := c.Service.NetworksByPriority()
	var networking *network.NetworkingConfig
	switch {
	case c.Service.NetworkMode != "":
	case len(keys) == 0:
		want.host.NetworkMode = network.NetworkNone
	default:
		endpoint, err := endpointSettings(c.Project, c.Service, keys[0])
		if err != nil {
			return "", err
		}
		name := c.Project.Networks[keys[0]].Name
		want.host.NetworkMode = container.NetworkMode(name)
		endpoint.NetworkID = c.Networks[keys[0]]
		networking = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{name: endpoint}}
	}
	made, err := d.api.ContainerCreate(ctx, client.ContainerCreateOptions{Config: want.config, HostConfig: want.host, NetworkingConfig: networking, Name: c.Name})
	if errdefs.IsConflict(err) {
		return "", infra.Raced(c.Service.Name, err.Error())
	}
	if err != nil {
		return "", err
	}
	for _, w := range made.Warnings {
		d.log.Debug("the engine warns", "service", c.Service.Name, "warning", w)
	}
	if err := d.complete(ctx, c, made.ID, keys, want.files); err != nil {
		// A half-made container would be taken for a whole one by the next look.
		_, _ = d.api.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		return "", err
	}
	return made.ID, nil
}

func (d *Driver) complete(ctx context.Context, c infra.Create, id string, keys []string, files []file) error {
	if c.Service.NetworkMode == "" && len(keys) > 1 {
		for _, key := range keys[1:] {
			if err := d.Connect(ctx, c.Project, c.Service, key, c.Networks[key], id); err != nil {
				return err
			}
		}
	}
	return d.copyFiles(ctx, id, files)
}

// keepAnonymous carries the data of anonymous volumes over from the container that is replaced.
func (d *Driver) keepAnonymous(ctx context.Context, c infra.Create, host *container.HostConfig) {
	if c.Replaces == nil {
		return
	}
	var targets []string
	if img, err := d.api.ImageInspect(ctx, infra.ImageName(c.Project.Name, c.Service)); err == nil && img.Config != nil {
		for target := range img.Config.Volumes {
			targets = append(targets, target)
		}
	}
	for _, v := range c.Service.Volumes {
		if v.Source == "" && v.Type == types.VolumeTypeVolume {
			targets = append(targets, v.Target)
		} else {
			targets = slices.DeleteFunc(targets, func(t string) bool { return t == v.Target })
		}
	}
	for _, m := range c.Replaces.Mounts {
		if !slices.Contains(targets, m.Target) {
			continue
		}
		host.Mounts = slices.DeleteFunc(host.Mounts, func(o mount.Mount) bool { return o.Target == m.Target })
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: m.Volume, Target: m.Target})
	}
}

// copyFiles puts configs and secrets of known content into a container that was not started yet.
func (d *Driver) copyFiles(ctx context.Context, id string, files []file) error {
	if len(files) == 0 {
		return nil
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		uid, _ := strconv.Atoi(f.uid)
		gid, _ := strconv.Atoi(f.gid)
		header := &tar.Header{Name: strings.TrimPrefix(f.path, "/"), Mode: f.mode, Size: int64(len(f.content)), Uid: uid, Gid: gid, ModTime: time.Now()}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write([]byte(f.content)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := d.api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: &b, CopyUIDGID: true})
	return err
}

// StartContainer starts, or unpauses.
func (d *Driver) StartContainer(ctx context.Context, id string) error {
	_, err := d.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	if err != nil && strings.Contains(err.Error(), "unpause") {
		_, err = d.api.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	}
	return err
}

// StopContainer uses the container's own stop signal and grace period.
func (d *Driver) StopContainer(ctx context.Context, id string) error {
	_, err := d.api.ContainerStop(ctx, id, client.ContainerStopOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// RemoveContainer kills it if it runs; an absent one, or one that is just being removed, is no error.
func (d *Driver) RemoveContainer(ctx context.Context, id string, anonymousVolumes bool) error {
	_, err := d.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: anonymousVolumes})
	if errdefs.IsNotFound(err) || err != nil && strings.Contains(err.Error(), "already in progress") {
		return nil
	}
	return err
}

// RenameContainer gives it a free name.
func (d *Driver) RenameContainer(ctx context.Context, id, name string) error {
	_, err := d.api.ContainerRename(ctx, id, client.ContainerRenameOptions{NewName: name})
	return err
}

// CreateNetwork makes a network. Engines before API 1.44 also make a second one of the same name: then the younger one goes
// again.
func (d *Driver) CreateNetwork(ctx context.Context, p *types.Project, key string) (string, error) {
	n := p.Networks[key]
	hash, err := stack.NetworkHash(n)
	if err != nil {
		return "", err
	}
	ipam, err := translateIPAM(n.Ipam)
	if err != nil {
		return "", err
	}
	made, err := d.api.NetworkCreate(ctx, n.Name, client.NetworkCreateOptions{
		Driver: n.Driver, Options: n.DriverOpts, Internal: n.Internal, Attachable: n.Attachable, IPAM: ipam,
		EnableIPv4: n.EnableIPv4, EnableIPv6: n.EnableIPv6, Labels: partLabels(n.Labels, p.Name, infra.LabelNetwork, key, hash),
	})
	if errdefs.IsConflict(err) {
		return "", infra.Raced("", err.Error())
	}
	if err != nil {
		return "", err
	}
	alone, err := d.aloneWith(ctx, p, n.Name, made.ID)
	if err == nil && !alone {
		_, _ = d.api.NetworkRemove(ctx, made.ID, client.NetworkRemoveOptions{})
		return "", infra.Raced("", "somebody else made the network "+n.Name+" at the same time")
	}
	return made.ID, err
}

// raceTime is how long the maker of an older network waits for the maker of a younger one to see it, and to remove its own.
const raceTime = time.Second

// aloneWith says whether a network that was just made is to stay. The older one does, unless the younger one does not go:
// its maker looked before ours could be seen, and uses it.
func (d *Driver) aloneWith(ctx context.Context, p *types.Project, name, id string) (bool, error) {
	again := time.NewTicker(raceTime / 20)
	defer again.Stop()
	for began := time.Now(); ; {
		all, err := d.networks(ctx, p.Name, p)
		if err != nil {
			return false, err
		}
		switch same := all[name]; {
		case len(same) <= 1:
			return true, nil
		case same[0].ID != id || time.Since(began) > raceTime:
			return false, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// RemoveNetwork removes it; an absent one is no error.
func (d *Driver) RemoveNetwork(ctx context.Context, id string) error {
	_, err := d.api.NetworkRemove(ctx, id, client.NetworkRemoveOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Connect attaches a container to one of its service's networks.
func (d *Driver) Connect(ctx context.Context, p *types.Project, s types.ServiceConfig, key, id, containerID string) error {
	endpoint, err := endpointSettings(p, s, key)
	if err != nil {
		return err
	}
	_, err = d.api.NetworkConnect(ctx, id, client.NetworkConnectOptions{Container: containerID, EndpointConfig: endpoint})
	return err
}

// Disconnect detaches a container from a network.
func (d *Driver) Disconnect(ctx context.Context, id, containerID string) error {
	_, err := d.api.NetworkDisconnect(ctx, id, client.NetworkDisconnectOptions{Container: containerID, Force: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// CreateVolume makes a named volume.
func (d *Driver) CreateVolume(ctx context.Context, p *types.Project, key string) error {
	v := p.Volumes[key]
	hash, err := stack.VolumeHash(v)
	if err != nil {
		return err
	}
	_, err = d.api.VolumeCreate(ctx, client.VolumeCreateOptions{
		Name: v.Name, Driver: v.Driver, DriverOpts: v.DriverOpts, Labels: partLabels(v.Labels, p.Name, infra.LabelVolume, key, hash),
	})
	return err
}

// RemoveVolume removes it with its data; an absent one is no error.
func (d *Driver) RemoveVolume(ctx context.Context, name string) error {
	_, err := d.api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	return nil
}
