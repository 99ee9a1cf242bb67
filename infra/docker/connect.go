// Package docker drives a Docker Engine, or what speaks its API, for package infra. It is the only package that imports
// the Docker client. It promises API versions from 1.41 (Engine 20.10) on, and to find the engine that the docker command
// would use.
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/docker/cli/cli/config"
	clicontext "github.com/docker/cli/cli/context"
	"github.com/docker/cli/cli/context/store"
	"github.com/moby/moby/client"

	"devstack/infra"
)

// Driver is one engine as package infra asks for it.
type Driver struct {
	api  engine
	log  *slog.Logger
	dir  string // of the docker command's configuration
	work *infra.Background

	mu     sync.Mutex        // guards ending
	ending map[string]ending // container -> a command in it that is to end
}

// engine is the client of an engine, with what this package asks of it in more than one call.
type engine struct{ *client.Client }

var _ infra.Driver = (*Driver)(nil)

// candidate is one place where an engine may answer.
type candidate struct {
	host  string // unix:///path, tcp://host:port
	named string // who says so, for error messages; empty: a well-known socket
}

// Connect finds an engine on this host as the docker command does: DOCKER_HOST, DOCKER_CONTEXT, the current context of its
// configuration, the default socket; then at the sockets that other products use. environ is the caller's. An engine on
// another host is an *infra.Error: its published ports are not here. It is one, too, that none answers.
func Connect(ctx context.Context, environ []string, log *slog.Logger) (infra.Driver, error) {
	env := infra.Environ(environ)
	dir := env["DOCKER_CONFIG"]
	if dir == "" {
		dir = filepath.Join(env["HOME"], ".docker")
	}
	candidates, err := engines(env, dir)
	if err != nil {
		return nil, err
	}
	var tried []string
	for _, c := range candidates {
		if remote(c.host) {
			return nil, &infra.Error{
				Kind: infra.NoEngine, Message: fmt.Sprintf("cannot use the container engine %s (%s): it is not on this host, nor are the ports that it publishes", c.host, c.named),
				Hint: "choose a local one: docker context use default, or unset DOCKER_HOST",
			}
		}
		if c.named == "" && !isSocket(c.host) {
			continue
		}
		api, err := dial(ctx, c.host, env)
		if err == nil {
			return &Driver{api: engine{api}, log: log, dir: dir, work: infra.NewBackground(), ending: map[string]ending{}}, nil
		}
		tried = append(tried, fmt.Sprintf("%s: %v", c.host, err))
	}
	return nil, &infra.Error{
		Kind:    infra.NoEngine,
		Message: "no container engine answers; tried " + strings.Join(tried, "; "),
		Hint:    "start Docker Desktop (or: sudo systemctl start docker), choose an engine with `docker context use`, or let the project install one: INFRA=docker make up",
	}
}

// engines are the places to look, in order.
func engines(env map[string]string, dir string) ([]candidate, error) {
	if host := env["DOCKER_HOST"]; host != "" {
		return []candidate{{host, "DOCKER_HOST"}}, nil
	}
	name, by := env["DOCKER_CONTEXT"], "DOCKER_CONTEXT"
	if name == "" {
		if file, err := config.Load(dir); err == nil {
			name, by = file.CurrentContext, "the current docker context"
		}
	}
	if name != "" && name != "default" {
		host, err := contextHost(dir, name)
		if err != nil {
			return nil, &infra.Error{
				Kind: infra.NoEngine, Message: fmt.Sprintf("cannot use the docker context %q, chosen by %s: %v", name, by, err),
				Hint: "docker context ls shows those that exist, docker context use NAME chooses one",
			}
		}
		return []candidate{{host, by + " " + name}}, nil
	}
	out := []candidate{{client.DefaultDockerHost, "the default"}}
	for _, path := range sockets(env) {
		out = append(out, candidate{host: "unix://" + path})
	}
	return out, nil
}

// contextHost reads a context of the docker command.
func contextHost(dir, name string) (string, error) {
	contexts := store.New(filepath.Join(dir, "contexts"), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter("docker", func() any { return &clicontext.EndpointMetaBase{} }),
	))
	meta, err := contexts.GetMetadata(name)
	if err != nil {
		return "", err
	}
	endpoint, ok := meta.Endpoints["docker"].(clicontext.EndpointMetaBase)
	if !ok || endpoint.Host == "" {
		return "", errors.New("it names no docker host")
	}
	return endpoint.Host, nil
}

// sockets are those of Docker Desktop, rootless Docker, OrbStack, Colima, Rancher Desktop, Lima and Podman.
func sockets(env map[string]string) []string {
	var out []string
	if home := env["HOME"]; home != "" {
		for _, path := range []string{
			".docker/run/docker.sock", ".docker/desktop/docker.sock", ".orbstack/run/docker.sock", ".colima/default/docker.sock",
			".config/colima/default/docker.sock", ".rd/docker.sock", ".lima/docker/sock/docker.sock",
			".local/share/containers/podman/machine/podman.sock",
		} {
			out = append(out, filepath.Join(home, path))
		}
	}
	if run := env["XDG_RUNTIME_DIR"]; run != "" {
		out = append(out, filepath.Join(run, "docker.sock"), filepath.Join(run, "podman/podman.sock"))
	}
	return append(out, "/run/podman/podman.sock")
}

// remote says that an engine is on another host.
func remote(host string) bool {
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "unix", "npipe", "fd":
		return false
	case "ssh":
		return true
	}
	name := u.Hostname()
	ip := net.ParseIP(name)
	return name != "localhost" && name != "" && (ip == nil || !ip.IsLoopback())
}

func isSocket(host string) bool {
	info, err := os.Stat(strings.TrimPrefix(host, "unix://"))
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// dial makes a client and lets it agree with the engine on a version.
func dial(ctx context.Context, host string, env map[string]string) (*client.Client, error) {
	options := []client.Opt{client.WithHost(host), client.WithAPIVersion(env["DOCKER_API_VERSION"])}
	if certs := env["DOCKER_CERT_PATH"]; certs != "" && strings.HasPrefix(host, "tcp:") {
		options = append(options, client.WithTLSClientConfig(filepath.Join(certs, "ca.pem"), filepath.Join(certs, "cert.pem"), filepath.Join(certs, "key.pem")))
	}
	api, err := client.New(options...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		api.Close()
		return nil, err
	}
	return api, nil
}

// Name is "docker".
func (d *Driver) Name() string { return "docker" }

// Object is "container".
func (d *Driver) Object() string { return "container" }

// Close ends what is read from the engine, and its connections.
func (d *Driver) Close() error {
	d.work.Close()
	return d.api.Close()
}
