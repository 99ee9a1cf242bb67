package main

import (
	"context"
	"fmt"

	"devstack/daemon/api"
)

func runVersion(_ context.Context, c *command, args []string) error {
	if err := c.parse(args); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.stdout, "devstackd", api.BuildVersion())
	return err
}
