package docker

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/moby/api/types/network"

	"devstack/infra"
)

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

// sameSet compares two lists without regard to order.
func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
