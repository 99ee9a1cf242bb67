package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"devstack/infra"
	"devstack/stack"
)

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

// partLabels are those of a network or volume.
func partLabels(own types.Labels, project, kind, key, hash string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, own)
	maps.Copy(labels, map[string]string{
		infra.LabelProject: project, kind: key, infra.LabelVersion: infra.ComposeVersion, infra.LabelHash: hash,
	})
	return labels
}

// volumes are all mounts of a container.
type volumes struct {
	binds  []string // the engine's old form, which creates a missing directory of the host
	mounts []mount.Mount
	tmpfs  map[string]string
	files  []file
}

// file is a config or a secret whose content is known here and copied into the container before it starts.
type file struct {
	path    string
	content string
	mode    int64
	uid     string
	gid     string
}

func translateVolumes(p *types.Project, s types.ServiceConfig) (volumes, error) {
	out := volumes{tmpfs: map[string]string{}}
	for _, t := range s.Tmpfs {
		target, options, _ := strings.Cut(t, ":")
		out.tmpfs[target] = options
	}
	targets := map[string]bool{}
	for _, v := range s.Volumes {
		targets[v.Target] = true
		if bind, ok := bindString(p, v); ok {
			out.binds = append(out.binds, bind)
		} else {
			out.mounts = append(out.mounts, mountOf(p, v))
		}
	}
	for _, secret := range s.Secrets {
		if err := out.addFile(types.FileReferenceConfig(secret), types.FileObjectConfig(p.Secrets[secret.Source]), "/run/secrets", targets); err != nil {
			return out, fmt.Errorf("secret %s: %w", secret.Source, err)
		}
	}
	for _, config := range s.Configs {
		if err := out.addFile(types.FileReferenceConfig(config), types.FileObjectConfig(p.Configs[config.Source]), "/", targets); err != nil {
			return out, fmt.Errorf("config %s: %w", config.Source, err)
		}
	}
	if len(out.files) > 0 && s.ReadOnly {
		return out, fmt.Errorf("read_only: %s can only be put into a read-only container from a file, not from environment or content", out.files[0].path)
	}
	return out, nil
}

// bindString is the old form of a mount, where that can say it.
func bindString(p *types.Project, v types.ServiceVolumeConfig) (string, bool) {
	mode := "rw"
	if v.ReadOnly {
		mode = "ro"
	}
	switch v.Type {
	case types.VolumeTypeBind:
		b := v.Bind
		if b != nil && (!bool(b.CreateHostPath) || b.Propagation != "" || b.Recursive != "") {
			return "", false
		}
		if b != nil && b.SELinux != "" {
			mode += "," + b.SELinux
		}
		return v.Source + ":" + v.Target + ":" + mode, true
	case types.VolumeTypeVolume:
		named, known := p.Volumes[v.Source]
		if !known || v.Volume != nil && (v.Volume.NoCopy || v.Volume.Subpath != "" || len(v.Volume.Labels) > 0) {
			return "", false
		}
		return named.Name + ":" + v.Target + ":" + mode, true
	}
	return "", false
}

func mountOf(p *types.Project, v types.ServiceVolumeConfig) mount.Mount {
	m := mount.Mount{Type: mount.Type(v.Type), Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly, Consistency: mount.Consistency(v.Consistency)}
	switch {
	case v.Type == types.VolumeTypeBind && v.Bind != nil:
		m.BindOptions = &mount.BindOptions{
			Propagation: mount.Propagation(v.Bind.Propagation), CreateMountpoint: bool(v.Bind.CreateHostPath),
			NonRecursive: v.Bind.Recursive == "disabled", ReadOnlyNonRecursive: v.Bind.Recursive == "writable",
			ReadOnlyForceRecursive: v.Bind.Recursive == "readonly",
		}
	case v.Type == types.VolumeTypeVolume:
		if named, known := p.Volumes[v.Source]; known {
			m.Source = named.Name
		}
		if v.Volume != nil {
			m.VolumeOptions = &mount.VolumeOptions{NoCopy: v.Volume.NoCopy, Subpath: v.Volume.Subpath, Labels: v.Volume.Labels}
		}
	case v.Type == types.VolumeTypeTmpfs && v.Tmpfs != nil:
		m.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: int64(v.Tmpfs.Size), Mode: os.FileMode(v.Tmpfs.Mode)}
	}
	return m
}

// addFile mounts a config or secret that is a file of this host, and notes one whose content is known for copying.
func (v *volumes) addFile(ref types.FileReferenceConfig, what types.FileObjectConfig, base string, taken map[string]bool) error {
	target := infra.FileTarget(ref, base)
	if taken[target] {
		return nil
	}
	if what.File != "" {
		source, err := filepath.Abs(what.File)
		if err != nil {
			return err
		}
		if _, err := os.Stat(source); err != nil {
			return err
		}
		v.mounts = append(v.mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: true})
		return nil
	}
	// compose-go has put the value of `environment` into Content.
	f := file{path: target, content: what.Content, mode: 0o444, uid: ref.UID, gid: ref.GID}
	if ref.Mode != nil {
		f.mode = int64(*ref.Mode)
	}
	v.files = append(v.files, f)
	return nil
}

// securityOptions inlines seccomp profiles, as the engine wants them. unconfined asks for no masked paths.
func securityOptions(p *types.Project, options []string) (out []string, unconfined bool, err error) {
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		switch {
		case o == "systempaths=unconfined":
			unconfined = true
		case name == "seccomp" && !slices.Contains([]string{"", "unconfined", "builtin"}, value):
			profile, err := os.ReadFile(p.RelativePath(value))
			if err != nil {
				return nil, false, fmt.Errorf("security_opt: %w", err)
			}
			var b bytes.Buffer
			if err := json.Compact(&b, profile); err != nil {
				return nil, false, fmt.Errorf("security_opt: %s: %w", value, err)
			}
			out = append(out, "seccomp="+b.String())
		default:
			out = append(out, o)
		}
	}
	return out, unconfined, nil
}
