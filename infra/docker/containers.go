package docker

import (
	"archive/tar"
	"bytes"
	"context"
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
	d.api.keepAnonymous(ctx, c, want.host)
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
	return d.api.copyFiles(ctx, id, files)
}

// keepAnonymous carries the data of anonymous volumes over from the container that is replaced.
func (e engine) keepAnonymous(ctx context.Context, c infra.Create, host *container.HostConfig) {
	if c.Replaces == nil {
		return
	}
	var targets []string
	if img, err := e.ImageInspect(ctx, infra.ImageName(c.Project.Name, c.Service)); err == nil && img.Config != nil {
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
func (e engine) copyFiles(ctx context.Context, id string, files []file) error {
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
	_, err := e.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: &b, CopyUIDGID: true})
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
