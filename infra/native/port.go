package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// choosePort decides where a server listens: on the published port; else where it did last, so that clients find it again;
// else on a free one.
func choosePort(ctx context.Context, def definition, at place) (int, error) {
	if def.Port != 0 {
		return def.Port, nil
	}
	var candidates []int
	text, _ := os.ReadFile(at.port())
	last, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if last != 0 && (def.High == 0 || def.Low <= last && last <= def.High) {
		candidates = append(candidates, last)
	}
	for port := def.Low; port <= def.High; port++ { // without a range, that is 0: whichever the kernel has
		candidates = append(candidates, port)
	}
	for _, port := range candidates {
		if free, err := listenable(ctx, def.HostIP, port); err == nil {
			return free, os.WriteFile(at.port(), []byte(strconv.Itoa(free)+"\n"), 0o644)
		}
	}
	return 0, fmt.Errorf("no port is free from %d to %d", def.Low, def.High)
}

// listenable is the port if it can be had now; of 0, one that can.
func listenable(ctx context.Context, host string, port int) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("not a TCP port")
	}
	return tcp.Port, nil
}
