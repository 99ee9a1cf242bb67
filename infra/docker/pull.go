package docker

import (
	"context"
	"fmt"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"

	"devstack/infra"
)

// Pull fetches a service's image. progress gets the sum over its layers, in bytes. Credentials are those of the docker
// command's configuration. An image that nobody has is an *infra.Error.
func (d *Driver) Pull(ctx context.Context, s types.ServiceConfig, progress func(current, total int64)) error {
	refuse := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &infra.Error{
			Kind: infra.NoImage, Service: s.Name, Message: fmt.Sprintf("cannot get the image %s of service %s: %v", s.Image, s.Name, err),
			Hint: "check its name and tag; docker login for a private registry; without a registry: docker load or docker pull it by hand",
		}
	}
	auth, err := d.credentials(s.Image)
	if err != nil {
		return refuse(err)
	}
	stream, err := d.api.ImagePull(ctx, s.Image, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return refuse(err)
	}
	defer stream.Close()
	type layer struct{ current, total int64 }
	layers := map[string]layer{}
	for message, err := range stream.JSONMessages(ctx) {
		if err != nil {
			return refuse(err)
		}
		if message.Error != nil {
			return refuse(message.Error)
		}
		l := layers[message.ID]
		switch {
		case message.Progress != nil && message.Status == "Downloading":
			l = layer{message.Progress.Current, message.Progress.Total}
		case message.Status == "Download complete":
			l.current = l.total
		default:
			continue
		}
		layers[message.ID] = l
		var sum layer
		for _, one := range layers {
			sum.current, sum.total = sum.current+one.current, sum.total+one.total
		}
		progress(sum.current, sum.total)
	}
	return nil
}

// credentials asks the docker command's configuration, which may run a helper program.
func (d *Driver) credentials(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", err
	}
	file, err := config.Load(d.dir)
	if err != nil {
		return "", err
	}
	host := reference.Domain(named)
	if host == "docker.io" {
		host = "https://index.docker.io/v1/"
	}
	auth, err := file.GetAuthConfig(host)
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", host, err)
	}
	return authconfig.Encode(registry.AuthConfig{
		Username: auth.Username, Password: auth.Password, Auth: auth.Auth, ServerAddress: auth.ServerAddress,
		IdentityToken: auth.IdentityToken, RegistryToken: auth.RegistryToken,
	})
}
