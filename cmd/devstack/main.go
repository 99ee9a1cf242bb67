// Command devstack is what people type. It parses, asks the daemon and renders; it decides nothing. As `devstack keeper`
// it is also the small parent of the daemon and of all processes, so it links neither the model nor an engine's client.
package main

import "os"

func main() {
	os.Exit(int(run(os.Args[1:], newFactory())))
}
