package docker

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"devstack/infra"
	"devstack/stack"
)

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
	alone, err := d.api.aloneWith(ctx, p, n.Name, made.ID)
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
func (e engine) aloneWith(ctx context.Context, p *types.Project, name, id string) (bool, error) {
	again := time.NewTicker(raceTime / 20)
	defer again.Stop()
	for began := time.Now(); ; {
		all, err := e.networks(ctx, p.Name, p)
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

// endpointSettings are a container's place in one network: the names under which others find it, and fixed addresses.
func endpointSettings(p *types.Project, s types.ServiceConfig, key string) (*network.EndpointSettings, error) {
	out := &network.EndpointSettings{Aliases: []string{infra.ContainerName(p.Name, s), s.Name}}
	n := s.Networks[key]
	if n == nil {
		return out, nil
	}
	out.Aliases = append(out.Aliases, n.Aliases...)
	out.DriverOpts, out.GwPriority = n.DriverOpts, n.GatewayPriority
	if n.InterfaceName != "" {
		out.DriverOpts = map[string]string{"com.docker.network.endpoint.ifname": n.InterfaceName}
		for k, v := range n.DriverOpts {
			out.DriverOpts[k] = v
		}
	}
	if n.Ipv4Address == "" && n.Ipv6Address == "" && len(n.LinkLocalIPs) == 0 {
		return out, nil
	}
	out.IPAMConfig = &network.EndpointIPAMConfig{}
	var err error
	if out.IPAMConfig.IPv4Address, err = parseAddr(n.Ipv4Address); err != nil {
		return nil, fmt.Errorf("networks.%s.ipv4_address: %w", key, err)
	}
	if out.IPAMConfig.IPv6Address, err = parseAddr(n.Ipv6Address); err != nil {
		return nil, fmt.Errorf("networks.%s.ipv6_address: %w", key, err)
	}
	for _, ip := range n.LinkLocalIPs {
		a, err := parseAddr(ip)
		if err != nil {
			return nil, fmt.Errorf("networks.%s.link_local_ips: %w", key, err)
		}
		out.IPAMConfig.LinkLocalIPs = append(out.IPAMConfig.LinkLocalIPs, a)
	}
	return out, nil
}

func parseAddr(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(s)
}

func translateIPAM(c types.IPAMConfig) (*network.IPAM, error) {
	if c.Driver == "" && len(c.Config) == 0 && len(c.Options) == 0 {
		return nil, nil
	}
	out := &network.IPAM{Driver: c.Driver, Options: c.Options}
	for _, pool := range c.Config {
		if pool == nil {
			continue
		}
		var err error
		var one network.IPAMConfig
		if pool.Subnet != "" {
			if one.Subnet, err = netip.ParsePrefix(pool.Subnet); err != nil {
				return nil, fmt.Errorf("subnet: %w", err)
			}
		}
		if pool.IPRange != "" {
			if one.IPRange, err = netip.ParsePrefix(pool.IPRange); err != nil {
				return nil, fmt.Errorf("ip_range: %w", err)
			}
		}
		if one.Gateway, err = parseAddr(pool.Gateway); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
		for name, address := range pool.AuxiliaryAddresses {
			a, err := netip.ParseAddr(address)
			if err != nil {
				return nil, fmt.Errorf("aux_addresses.%s: %w", name, err)
			}
			if one.AuxAddress == nil {
				one.AuxAddress = map[string]netip.Addr{}
			}
			one.AuxAddress[name] = a
		}
		out.Config = append(out.Config, one)
	}
	return out, nil
}
