// Command asker asks an address of its machine until its standard input ends, and prints how every single request ended:
//
//	asker 127.0.0.1:3000 /healthz
//
// It ends with 1 if any of them failed.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"devstack/bench/load"
)

func main() {
	l, err := load.Start(load.Options{
		Address: os.Args[1], Path: os.Args[2], Pause: 5 * time.Millisecond,
		Server: func(status int, body []byte) (string, error) {
			if status != http.StatusOK {
				return "", fmt.Errorf("%d: %s", status, body)
			}
			return "it", nil
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "asker:", err)
		os.Exit(2)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	report := l.Stop()
	fmt.Println(report)
	if report.Failed() > 0 || report.OK == 0 {
		os.Exit(1)
	}
}
