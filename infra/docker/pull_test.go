package docker

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"devstack/bench/freeport"
	"devstack/infra"
	"devstack/view"
)

const (
	puller   = "puller"
	password = "pull-me"
)

// privateRegistry is a real registry on loopback that wants a login; it returns its host and port.
func (f *fixture) privateRegistry() string {
	f.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		f.Fatal(err)
	}
	path, err := exec.CommandContext(f.ctx, filepath.Join(root, "scripts", "registry")).Output()
	if err != nil {
		f.Fatalf("cannot get a registry: %v", err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(freeport.Get(f.T)))
	config := filepath.Join(f.dir, "registry.yml")
	text := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: \"%s\", relativeurls: true}\n", f.TempDir(), addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	server := exec.Command(strings.TrimSpace(string(path)), "serve", config)
	if err := server.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	f.listening(addr)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != puller || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	f.Cleanup(front.Close)
	return strings.TrimPrefix(front.URL, "http://")
}

// listening waits until something accepts at addr.
func (f *fixture) listening(addr string) {
	f.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-f.ctx.Done():
			f.Fatalf("nothing listens at %s: %v", addr, err)
		}
	}
}

// login writes a configuration of the docker command that knows the registry's password, and returns its directory.
func (f *fixture) login(host string) string {
	f.Helper()
	dir := f.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte(puller + ":" + password))
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, auth)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	return dir
}

// publish pushes an image that is redis and 8 MiB that nobody else has, and removes it from the engine.
func (f *fixture) publish(host, config string) string {
	f.Helper()
	blob := make([]byte, 8<<20)
	rand.Read(blob)
	file := filepath.Join(f.dir, "blob")
	if err := os.WriteFile(file, blob, 0o600); err != nil {
		f.Fatal(err)
	}
	image := host + "/" + f.project + ":1"
	id := f.docker("create", "--label", infra.LabelProject+"="+f.project, "redis:7-alpine")
	f.docker("cp", file, id+":/blob")
	f.docker("commit", id, image)
	f.docker("rm", "-v", id)
	f.Cleanup(func() {
		f.clean() // first what uses it
		_ = exec.Command("docker", "rmi", image).Run()
	})
	f.docker("--config", config, "push", "-q", image)
	f.docker("rmi", image)
	return image
}

func TestAPrivateImageIsPulledWithTheDockerCommandsLogin(t *testing.T) {
	f := newFixture(t, redisOnly)
	host := f.privateRegistry()
	config := f.login(host)
	image := f.publish(host, config)
	f.write(strings.Replace(redisOnly, "redis:7-alpine", image, 1))

	f.connect(t.TempDir())
	f.refused(f.infra().Up(f.ctx, f.load(), nil), infra.NoImage, image, "redis")

	f.connect(config)
	i := f.infra()
	f.up(i)
	f.ready(i)
	f.answersRedis()
	var pulled int64
	events, _ := f.events.all()
	for _, e := range events {
		if e.Kind == view.KindPull {
			pulled = max(pulled, e.Progress.Current)
		}
	}
	if pulled < 8<<20 {
		t.Errorf("progress told of %d bytes, want at least the %d of the new layer", pulled, 8<<20)
	}
}

// connect replaces the driver by one that reads the docker command's configuration in dir.
func (f *fixture) connect(dir string) {
	f.Helper()
	d, err := Connect(f.ctx, append(os.Environ(), "DOCKER_CONFIG="+dir), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	f.driver = d.(*Driver)
}
