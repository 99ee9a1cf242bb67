// devstackd is the daemon of a running stack, started by the keeper, and what stands behind those commands of devstack
// that need the files' whole model. People do not call it by hand.
package main

import (
	"os"
)

func main() { os.Exit(int(run(os.Args[1:], os.Stdout, os.Stderr))) }
