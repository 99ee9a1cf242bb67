package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/view"
)

func TestInfraDir(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "/var/lib/devstack-infra/p"},
		{map[string]string{"DEVSTACK_HOME": "/h"}, "/h/infra/p"},
		{map[string]string{"DEVSTACK_HOME": "/h", "STATE_DIRECTORY": "/s:/other"}, "/s/p"},
	} {
		if got := infraDir(func(key string) string { return c.env[key] }, "p"); got != c.want {
			t.Errorf("%v: %s, want %s", c.env, got, c.want)
		}
	}
}

func TestInfraMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "p")
	var said bytes.Buffer
	open := func() *infraMemory {
		m, err := openInfraMemory(dir, "p", slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open()
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	if err := m.keep(map[string]string{"redis": "other"}, at); err != nil {
		t.Fatal(err)
	}
	if err := m.keep(map[string]string{"redis": "other"}, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	m.Close()
	m = open()
	if diff := cmp.Diff(infraState{1, at, map[string]string{"redis": "other"}}, m.last); diff != "" {
		t.Error(diff)
	}
	if err := m.keep(map[string]string{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	m.Close()
	m = open()
	if len(m.last.Stopped) != 0 || !m.last.At.IsZero() {
		t.Errorf("read %+v", m.last)
	}
	m.Close()
	for _, content := range []string{"{", `{"version": 2}`} {
		if err := os.WriteFile(m.path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		said.Reset()
		m = open()
		m.Close()
		aside, err := os.ReadFile(m.path + ".unusable")
		if err != nil || string(aside) != content || !strings.Contains(said.String(), "nothing counts as stopped") {
			t.Errorf("%s: it is %q aside (%v), and the log %s", content, aside, err, said.String())
		}
	}
}

func TestInfraStatus(t *testing.T) {
	for _, c := range []struct {
		services []view.ServiceDetails
		ready    bool
		status   string
	}{
		{[]view.ServiceDetails{{Service: view.Service{Name: "a", Ready: true}}, {Service: view.Service{Name: "b", Ready: true}}}, true, "2/2 services ready"},
		{[]view.ServiceDetails{{Service: view.Service{Name: "a", Ready: true}}, {Service: view.Service{Name: "b"}, Detail: "refused"}}, false, "1/2 services ready; b: refused"},
		{[]view.ServiceDetails{{Service: view.Service{Name: "a", StoppedBy: "other"}, Detail: "stopped by other"}, {Service: view.Service{Name: "b", Ready: true}}}, true, "1/2 services ready; a is stopped"},
	} {
		if got := infraStatus(c.services); got != c.status || infraReady(c.services) != c.ready {
			t.Errorf("%q, ready %v; want %q, %v", got, infraReady(c.services), c.status, c.ready)
		}
	}
}
