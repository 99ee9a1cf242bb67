package probe

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// Redis is ready when the server at addr (host:port) answers PING with PONG, after AUTH when a password is given. An
// empty username is the default user. A server that refuses the login is Broken; one that still loads its data is not.
func Redis(addr, username, password string) Probe {
	return Func(func(ctx context.Context) Result {
		conn, err := dial(ctx, addr)
		if err != nil {
			return failed(ctx, addr, err)
		}
		defer conn.Close()
		reader := bufio.NewReader(conn)
		ask := func(words ...string) (string, error) {
			if _, err := conn.Write([]byte(resp(words))); err != nil {
				return "", err
			}
			line, err := reader.ReadString('\n')
			return strings.TrimRight(line, "\r\n"), err
		}

		if password != "" {
			auth := []string{"AUTH", password}
			if username != "" {
				auth = []string{"AUTH", username, password}
			}
			reply, err := ask(auth...)
			if err != nil {
				return failed(ctx, addr, err)
			}
			if reply != "+OK" && !strings.Contains(reply, "without any password configured") {
				return refused(reply)
			}
		}
		reply, err := ask("PING")
		if err != nil {
			return failed(ctx, addr, err)
		}
		if reply == "+PONG" {
			return Result{Ready: true, Alive: true, By: Pong, Detail: "PING -> PONG"}
		}
		return refused(reply)
	})
}

// refused judges an answer that is not the wanted one.
func refused(reply string) Result {
	word, _, _ := strings.Cut(strings.TrimPrefix(reply, "-"), " ")
	switch word {
	case "NOAUTH":
		return Result{Broken: true, Alive: true, Detail: "redis asks for a password and none is known: " + reply[1:]}
	case "WRONGPASS", "NOPERM":
		return Result{Broken: true, Alive: true, Detail: "redis refuses the login: " + reply[1:]}
	case "LOADING":
		return Result{Alive: true, Detail: "redis is loading its data"}
	}
	if strings.HasPrefix(reply, "-") {
		return Result{Alive: true, Detail: "redis: " + reply[1:]}
	}
	return Result{Detail: fmt.Sprintf("this is not the answer of a redis server: %.60q", reply)}
}

// resp writes one command in Redis's protocol.
func resp(words []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}
