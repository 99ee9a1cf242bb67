package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// shortestSecret is the length below which a value is in texts by chance.
const shortestSecret = 8

// holders are the kinds that a base makes and that must not hold a secret. The Secrets themselves are the one place for them.
const holders = "pods,deployments,statefulsets,replicasets,jobs,cronjobs,configmaps,services,serviceaccounts,events"

// objects is what the API server knows of everything but the Secrets.
func (k *kubeRun) objects(ctx context.Context) []byte {
	out, err := k.kube.run(ctx, nil, "get", holders, "-o", "json")
	if err != nil {
		k.add("stack", "no secrets in the cluster's objects", Failed, 0, "%v", err)
	}
	return out
}

// noSecrets searches the secrets' values in the files on disk, in every manifest and object, and in what was printed.
func (k *kubeRun) noSecrets(objects []byte) {
	began := time.Now()
	files, filesErr := readAll(k.Dir)
	logs, logsErr := k.pods.output()
	needles := secretNeedles(k.Secrets)
	look := func(claim string, data []byte, err error) {
		if found := leaked(needles, data); err == nil && len(found) > 0 {
			err = fmt.Errorf("it contains the value of %s", strings.Join(found, ", "))
		}
		k.judge("stack", claim, time.Since(began), err, fmt.Sprintf("%s, also encoded, in %d KiB: 0 hits", plural(len(k.Secrets), "value"), (len(data)+1023)>>10))
	}
	look("no secrets in the exported files", files, filesErr)
	look("no secrets in the manifests and the cluster's objects", objects, nil)
	look("no secrets in the logs", logs, logsErr)
}

func readAll(dir string) ([]byte, error) {
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	})
	return all.Bytes(), err
}

// secretNeedles are the ways in which a value may be written, by its name. A URL's password is searched for on its own, too.
func secretNeedles(secrets map[string]string) map[string][][]byte {
	out := map[string][][]byte{}
	for name, value := range secrets {
		values := []string{value}
		if u, err := url.Parse(value); err == nil && u.User != nil {
			password, _ := u.User.Password()
			values = append(values, password)
		}
		for _, v := range values {
			if len(v) >= shortestSecret {
				out[name] = append(out[name], prod.Needles(v)...)
			}
		}
	}
	return out
}

// leaked are the names of the secrets that are in data.
func leaked(needles map[string][][]byte, data []byte) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(needles)) {
		if slices.ContainsFunc(needles[name], func(n []byte) bool { return bytes.Contains(data, n) }) {
			out = append(out, name)
		}
	}
	return out
}

// onlyReferences looks at how the pods of every workload are given their secrets.
func (k *kubeRun) onlyReferences(ctx context.Context) {
	began := time.Now()
	out, err := k.kube.run(ctx, nil, "get", "deployments,jobs,cronjobs", "-o", "json")
	number := 0
	if err == nil {
		names := map[string]bool{}
		for _, w := range k.model.Workloads {
			for _, s := range w.Secrets {
				names[s.Name] = true
			}
		}
		number, err = secretReferences(out, names)
	}
	k.judge("stack", "secrets by reference only", time.Since(began), err, plural(number, "variable")+" of the pods' templates, each a secretKeyRef")
}

// secretReferences counts the variables called names in a list of objects; one that is not a secretKeyRef is an error.
func secretReferences(objects []byte, names map[string]bool) (int, error) {
	var root any
	if err := json.Unmarshal(objects, &root); err != nil {
		return 0, err
	}
	number := 0
	var wrong []string
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, n := range node {
				walk(n)
			}
		case map[string]any:
			name, _ := node["name"].(string)
			value, literal := node["value"]
			from, _ := node["valueFrom"].(map[string]any)
			if names[name] && (literal || from != nil) {
				number++
				if from["secretKeyRef"] == nil {
					wrong = append(wrong, fmt.Sprintf("%s is not a reference (%T)", name, value))
				}
			}
			for _, n := range node {
				walk(n)
			}
		}
	}
	walk(root)
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return number, errors.New(strings.Join(wrong, ", "))
	}
	return number, nil
}
