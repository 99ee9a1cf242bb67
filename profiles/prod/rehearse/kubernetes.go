package rehearse

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// The names of what a rehearsal makes in its namespace beside the export.
const (
	kubeTarget = "kubernetes"
	kubeClient = "rehearsal-client"
)

// kubeRun is one rehearsal on a cluster.
type kubeRun struct {
	Options
	results
	model prod.Model
	kube  kubectl
	work  string // a directory of its own, for the overlay
	pods  *podWatch
}

// rehearseKubernetes rehearses an exported base on the cluster of o.Context, with kubectl and the kubeconfig that it finds. The
// base is applied as it is, through an overlay that sets what a user's overlay sets. Everything is in one namespace of the
// rehearsal's own, which is deleted at the end, also after a failure or when ctx ends. An error means that the rehearsal could not be held; what it found
// out is in the checks, of which the last is the first that failed where the following ones would mean nothing without it.
func rehearseKubernetes(ctx context.Context, o Options) (checks []Check, err error) {
	if o.Context == "" {
		return nil, errors.New("nobody named the context of a cluster")
	}
	k := &kubeRun{
		Options: o, results: o.results(kubeTarget), model: o.Export.Model,
		kube: kubectl{context: o.Context, namespace: "devstack-rehearsal-" + strings.ToLower(rand.Text()[:8])},
	}
	k.live = true
	if k.work, err = os.MkdirTemp("", "devstack-rehearsal-"); err != nil {
		return nil, fmt.Errorf("cannot make a directory: %w", err)
	}
	defer os.RemoveAll(k.work)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if err := k.open(ctx); err != nil {
		return nil, errors.Join(k.redacted(err), k.close(ctx))
	}
	k.pods = watchPods(watching, k.kube)
	failed := k.rehearse(ctx)
	stop()
	return k.checks, errors.Join(k.redacted(failed), k.close(ctx))
}

// rehearse does one thing after the other. What a failed check makes meaningless is left out, and so is what was cut off.
func (k *kubeRun) rehearse(ctx context.Context) error {
	manifests, err := k.apply(ctx)
	if err != nil {
		return err
	}
	var objects []byte
	for _, step := range []func() (bool, error){
		func() (bool, error) { k.podSecurity(ctx); return k.healthy(ctx), nil },
		func() (bool, error) {
			for _, w := range k.model.Workloads {
				k.environment(ctx, w)
			}
			return true, nil
		},
		func() (bool, error) { return true, k.fromOutside(ctx) },
		func() (bool, error) { objects = k.objects(ctx); k.onlyReferences(ctx); return true, nil },
		func() (bool, error) { k.stop(ctx); return true, nil },
		func() (bool, error) { k.noSecrets(append(manifests, objects...)); return true, nil },
	} {
		before := len(k.checks)
		more, err := step()
		if ctx.Err() != nil {
			k.checks = k.checks[:before]
			return context.Cause(ctx)
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// fromOutside is what is asked of the stack by a pod that is none of it.
func (k *kubeRun) fromOutside(ctx context.Context) error {
	front, found := frontOf(k.model)
	if !found {
		k.add("stack", "rolling update under load", NotProven, 0, "no app runs Node.js and has an HTTP port")
		return nil
	}
	c := client{k, front}
	if err := c.start(ctx); err != nil {
		return err
	}
	c.trial(ctx)
	c.rollingUpdate(ctx)
	c.networkPolicy(ctx)
	_, err := k.kube.run(ctx, nil, "delete", "pod", kubeClient)
	return err
}

// open makes the namespace and the Secrets that secrets.required.yaml names.
func (k *kubeRun) open(ctx context.Context) error {
	k.say("making the namespace %s, Pod Security restricted", k.kube.namespace)
	namespace, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": k.kube.namespace, "labels": map[string]string{
			"pod-security.kubernetes.io/enforce":         "restricted",
			"pod-security.kubernetes.io/enforce-version": "latest",
			"app.kubernetes.io/managed-by":               "devstack-rehearsal",
		}},
	})
	if err != nil {
		return err
	}
	if _, err := k.kube.run(ctx, namespace, "create", "-f", "-"); err != nil {
		return err
	}
	secrets, err := requiredSecrets(k.Export.Files, k.Secrets)
	if err != nil {
		return err
	}
	for _, s := range secrets {
		if _, err := k.kube.run(ctx, s, "create", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

// close deletes the namespace and with it everything that was made, also when ctx has ended.
func (k *kubeRun) close(ctx context.Context) error {
	k.say("deleting the namespace %s", k.kube.namespace)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	if _, err := k.kube.run(ctx, nil, "delete", "namespace", k.kube.namespace, "--ignore-not-found"); err != nil {
		return fmt.Errorf("cannot delete the rehearsal's namespace: %w; delete it with kubectl --context %s delete namespace %s", err, k.Context, k.kube.namespace)
	}
	return nil
}

// frontOf is the workload that others, and the load, talk to: the first one with an HTTP port.
func frontOf(m prod.Model) (prod.Workload, bool) {
	for _, w := range m.Workloads {
		if w.Kind == prod.Service && w.Replicas > 0 && len(w.Ports) > 0 && w.Ports[0].Name == "http" && w.HasNode() {
			return w, true
		}
	}
	return prod.Workload{}, false
}
