// A server in Go, as its users write them.
package main

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

func ms(name string) time.Duration {
	n, _ := strconv.Atoi(os.Getenv(name))
	return time.Duration(n) * time.Millisecond
}

func main() {
	if die := ms("DIE"); die > 0 {
		time.AfterFunc(die, func() { fmt.Fprintln(os.Stderr, "server.go cannot go on"); os.Exit(1) })
	}
	time.Sleep(ms("BOOT"))
	_ = http.ListenAndServe(":"+cmp.Or(os.Getenv("LISTEN"), os.Getenv("PORT")), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
}
