package stack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The wanted hashes are what `docker compose config --hash '*'` of v5.6.0 prints for the same file and environment.
func TestServiceHashIsDockerComposes(t *testing.T) {
	dir := write(t, map[string]string{
		"compose.yaml": richCompose, "db.env": "A=1\nB=\"two $A\"\n", "token": "x",
		"ecosystem.yaml": "compose: compose.yaml\n",
	})
	got := hashes(t, load(t, dir, "DB_PASSWORD=secret", "FROM_SHELL=yes", "A=shell"))
	want := map[string]string{
		"service cache": "6b6c7e767fcec277953fc923a0a22b8e2253b2ce9aa9505db3dad68528a4c365",
		"service db":    "7be18844dc5e0c8ad7faba24188dc5310cf79f5a180a09b7b9a6b405ec80147e",
	}
	for name, hash := range want {
		if got[name] != hash {
			t.Errorf("%s: got %s, docker compose has %s", name, got[name], hash)
		}
	}
}

func TestServiceHashIgnoresWhatIsNoPartOfAContainer(t *testing.T) {
	plain := "services: {a: {image: x}}\n"
	more := "services: {a: {image: x, pull_policy: always, scale: 2, depends_on: [b], profiles: [dev]}, b: {image: y}}\n"
	one := hashes(t, load(t, write(t, map[string]string{"compose.yaml": plain, "ecosystem.yaml": "compose: compose.yaml"})))
	two := hashes(t, load(t, write(t, map[string]string{"compose.yaml": more, "ecosystem.yaml": "compose: compose.yaml"})))
	if diff := cmp.Diff(one["service a"], two["service a"]); diff != "" {
		t.Error(diff)
	}
}

// Scaling with deploy.replicas leaves the containers that are there as they are; a memory limit makes them others.
func TestServiceHashIgnoresReplicas(t *testing.T) {
	hash := func(deploy string) string {
		return hashes(t, load(t, write(t, map[string]string{
			"compose.yaml": "services: {a: {image: x, deploy: {" + deploy + "}}}\n", "ecosystem.yaml": "compose: compose.yaml",
		})))["service a"]
	}
	if one, two := hash("replicas: 1"), hash("replicas: 2"); one != two {
		t.Errorf("with one replica %s, with two %s", one, two)
	}
	if one, two := hash("replicas: 1"), hash("replicas: 1, resources: {limits: {memory: 1G}}"); one == two {
		t.Error("a memory limit changes nothing")
	}
}
