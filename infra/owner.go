package infra

import (
	"context"

	"devstack/view"
)

// PortOwner says who listens on a TCP port of this host, in words for people; empty: nobody.
func PortOwner(ctx context.Context, port int) string {
	if !listening(ctx, view.PublishedPort{HostPort: port}) {
		return ""
	}
	return processWith(ctx, port)
}
