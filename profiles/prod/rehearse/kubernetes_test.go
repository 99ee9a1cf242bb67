package rehearse

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"devstack/profiles/prod"
)

func TestImageForAnOverlay(t *testing.T) {
	for reference, want := range map[string]kubeImage{
		"registry.example.com:5000/a/b":          {Name: "n", NewName: "registry.example.com:5000/a/b"},
		"registry.example.com:5000/a/b:1":        {Name: "n", NewName: "registry.example.com:5000/a/b", NewTag: "1"},
		"127.0.0.1:12500/a/b@sha256:00":          {Name: "n", NewName: "127.0.0.1:12500/a/b", Digest: "sha256:00"},
		"registry.example.com/a/b:1.2@sha256:00": {Name: "n", NewName: "registry.example.com/a/b", Digest: "sha256:00"},
		"b:1":                                    {Name: "n", NewName: "b", NewTag: "1"},
	} {
		if got := imageFor("n", reference); got != want {
			t.Errorf("%s: %+v, want %+v", reference, got, want)
		}
	}
}

func TestChangedFilesAreFound(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "same"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []prod.File{{Path: "same", Data: []byte("1")}, {Path: "other", Data: []byte("1")}, {Path: "gone"}, {Path: "users", Once: true}}
	if got := changedFiles(dir, files); !slices.Equal(got, []string{"other", "gone"}) {
		t.Errorf("changed are %q", got)
	}
}

func TestSecretsAreMadeAsTheyAreRequired(t *testing.T) {
	files := []prod.File{{Path: "secrets.required.yaml", Data: []byte(prod.Header + "secrets:\n  - name: shop-secrets\n    keys:\n      - key: TOKEN\n      - key: EMPTY\n")}}
	made, err := requiredSecrets(files, map[string]string{"TOKEN": "a\n\"b", "EMPTY": "", "MORE": "c"})
	if err != nil || len(made) != 1 {
		t.Fatalf("%d Secrets, %v", len(made), err)
	}
	var got struct {
		Metadata   struct{ Name string }
		StringData map[string]string
	}
	if err := json.Unmarshal(made[0], &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.Name != "shop-secrets" || len(got.StringData) != 2 || got.StringData["TOKEN"] != "a\n\"b" {
		t.Errorf("made %+v", got)
	}
	if _, err := requiredSecrets(files, map[string]string{"TOKEN": "a"}); err == nil || !strings.Contains(err.Error(), "EMPTY of the Secret shop-secrets") {
		t.Errorf("a missing value: %v", err)
	}
}

// A pod's life, as the API server tells it.
func TestPodIsSeen(t *testing.T) {
	start := time.Unix(1000, 0)
	var seen podSeen
	for i, state := range []string{
		`{"metadata":{"name":"web-1","labels":{"app.kubernetes.io/name":"web"}},"spec":{"terminationGracePeriodSeconds":15},"status":{"phase":"Pending"}}`,
		`{"metadata":{"name":"web-1"},"status":{"containerStatuses":[{"state":{"waiting":{"reason":"ImagePullBackOff","message":"no such image"}}}]}}`,
		`{"metadata":{"name":"web-1"},"status":{"containerStatuses":[{"restartCount":1,"state":{"running":{}}}]}}`,
		`{"metadata":{"name":"web-1"},"status":{"conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"restartCount":1,"state":{"running":{}}}]}}`,
		`{"metadata":{"name":"web-1","deletionTimestamp":"2030-01-01T00:00:00Z"},"status":{"containerStatuses":[{"restartCount":1,"state":{"running":{}}}]}}`,
		`{"metadata":{"name":"web-1","labels":{"app.kubernetes.io/name":"web"},"deletionTimestamp":"2030-01-01T00:00:00Z"},"spec":{"terminationGracePeriodSeconds":15},"status":{"containerStatuses":[{"restartCount":1,"state":{"terminated":{"exitCode":137}}}]}}`,
	} {
		var p pod
		if err := json.Unmarshal([]byte(state), &p); err != nil {
			t.Fatal(err)
		}
		seen = seen.see(p, start.Add(time.Duration(i)*time.Second))
		if i == 1 && seen.Trouble != "ImagePullBackOff no such image" {
			t.Errorf("its trouble is %q", seen.Trouble)
		}
	}
	want := podSeen{
		Name: "web-1", Workload: "web", Grace: 15 * time.Second, ExitCode: 137, Restarts: 1,
		Running: start.Add(2 * time.Second), Ready: start.Add(3 * time.Second), Stopped: start.Add(4 * time.Second), Ended: start.Add(5 * time.Second),
	}
	if seen != want {
		t.Errorf("seen is\n%+v, want\n%+v", seen, want)
	}
}

func TestStopIsJudged(t *testing.T) {
	at := time.Unix(1000, 0)
	pod := func(code int, took time.Duration) podSeen {
		return podSeen{Name: "web-1", Stopped: at, Ended: at.Add(took), Grace: 10 * time.Second, ExitCode: code}
	}
	for _, c := range []struct {
		pods []podSeen
		want string // of the error, or of what was seen
	}{
		{[]podSeen{pod(0, time.Second)}, "exit code 0 after 1.0 s of 10s"},
		{[]podSeen{pod(143, time.Second)}, "exit code 143 after 1.0 s of 10s"},
		{[]podSeen{pod(0, time.Second), pod(137, 10*time.Second)}, "web-1 ended with exit code 137 after 10.0 s"},
		{[]podSeen{pod(1, time.Second)}, "web-1 ended with exit code 1 after 1.0 s"},
		{[]podSeen{pod(0, 11*time.Second)}, "web-1 needed 11.0 s of 10s"},
		{nil, "web had no pod"},
	} {
		seen, _, err := stopSeen(prod.Workload{Name: "web"}, c.pods)
		if err != nil {
			seen = err.Error()
		}
		if seen != c.want {
			t.Errorf("%q, want %q", seen, c.want)
		}
	}
}

func TestLeakedSecretsAreFound(t *testing.T) {
	const password = "correct-horse/battery+1"
	needles := secretNeedles(map[string]string{"DATABASE_URL": "postgres://app:correct-horse%2Fbattery+1@db:5432/x", "SHORT": "1", "TOKEN": "tok\"en-0123456789"})
	for data, want := range map[string]string{
		"nothing of it, only 1":                                               "",
		"the password " + password:                                            "DATABASE_URL",
		`{"a":"tok\"en-0123456789"}`:                                          "TOKEN",
		"tok%22en-0123456789":                                                 "TOKEN",
		"746f6b22656e2d30313233343536":                                        "",
		"746f6b22656e2d30313233343536373839 and " + password:                  "DATABASE_URL TOKEN",
		base64.StdEncoding.EncodeToString([]byte("user:" + password + ":")):   "DATABASE_URL",
		base64.StdEncoding.EncodeToString([]byte("user::" + password + ":")):  "DATABASE_URL",
		base64.StdEncoding.EncodeToString([]byte("user:::" + password + ":")): "DATABASE_URL",
	} {
		if got := strings.Join(leaked(needles, []byte(data)), " "); got != want {
			t.Errorf("%q: found %q, want %q", data, got, want)
		}
	}
}

func TestSecretsAreReferences(t *testing.T) {
	names := map[string]bool{"TOKEN": true}
	const reference = `{"items":[{"name":"TOKEN","spec":{"env":[{"name":"TOKEN","valueFrom":{"secretKeyRef":{"key":"TOKEN"}}},{"name":"A","value":"1"}]}}]}`
	if n, err := secretReferences([]byte(reference), names); n != 1 || err != nil {
		t.Errorf("%d references, %v", n, err)
	}
	for _, wrong := range []string{
		`{"items":[{"env":[{"name":"TOKEN","value":"1"}]}]}`,
		`{"items":[{"env":[{"name":"TOKEN","valueFrom":{"configMapKeyRef":{"key":"TOKEN"}}}]}]}`,
	} {
		if n, err := secretReferences([]byte(wrong), names); n != 1 || err == nil {
			t.Errorf("%s: %d references, %v", wrong, n, err)
		}
	}
}

// The load counts what the server counts: every third request fails, on new connections and on kept ones.
func TestLoadCountsFailures(t *testing.T) {
	var asked, failed atomic.Int64
	enough := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := asked.Add(1)
		if n%3 == 0 {
			failed.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if n == 60 {
			close(enough)
		}
	}))
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), "node", "-e", load, server.URL)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-enough
		_ = in.Close()
	}()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, last, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	var got loadSeen
	if err := json.Unmarshal([]byte(last), &got); err != nil || first != "asking" {
		t.Fatalf("it printed %q: %v", out, err)
	}
	if got.Asked != int(asked.Load()) || got.Failed != int(failed.Load()) || got.Errors["status 503"] != got.Failed {
		t.Errorf("counted %+v; the server was asked %d times and failed %d times", got, asked.Load(), failed.Load())
	}
}
