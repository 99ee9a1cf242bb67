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

// choosePort decides where the server listens: on the published port; else where it did last, so that clients find it
// again; else on a free one.
func (d *Driver) choosePort(ctx context.Context, r *record, at place) error {
	def := r.Definition
	if def.Port != 0 {
		r.Port = def.Port
		return nil
	}
	text, _ := os.ReadFile(at.port())
	last, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	candidates := []int{last}
	for port := def.Low; port <= def.High; port++ {
		candidates = append(candidates, port)
	}
	if def.High == 0 {
		candidates = append(candidates, anyPort)
	}
	for _, port := range candidates {
		if port == 0 || def.High != 0 && (port < def.Low || port > def.High) {
			continue
		}
		free, err := listenable(ctx, def.HostIP, port)
		if err != nil {
			continue
		}
		r.Port = free
		return os.WriteFile(at.port(), []byte(strconv.Itoa(free)+"\n"), 0o644)
	}
	return fmt.Errorf("no port is free from %d to %d", def.Low, def.High)
}

// anyPort stands for whichever the kernel has.
const anyPort = -1

// listenable is the port if it can be had now.
func listenable(ctx context.Context, host string, port int) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(max(port, 0))))
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
