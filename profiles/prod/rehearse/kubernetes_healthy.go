package rehearse

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// rolloutTime is how long everything together may take to be rolled out.
const rolloutTime = 3 * time.Minute

// podSecurity asks the API server whether it would let in what the restricted profile forbids.
func (k *kubeRun) podSecurity(ctx context.Context) {
	began := time.Now()
	_, err := k.kube.run(ctx, nil, "run", "not-restricted", "--image=none", "--dry-run=server")
	switch {
	case err == nil:
		err = errors.New("the cluster let a pod in that the restricted profile forbids")
	case strings.Contains(err.Error(), `violates PodSecurity "restricted`):
		err = nil
	}
	k.judge("stack", "pod security restricted", time.Since(began), err, "the namespace enforces it: it lets the base in and refuses a pod without a security context")
}

// healthy waits until everything is rolled out, and says whether it is.
func (k *kubeRun) healthy(ctx context.Context) bool {
	k.say("waiting until everything is rolled out")
	began, all := time.Now(), true
	wait := func(name, kind string, args ...string) bool {
		left := max(rolloutTime-time.Since(began), time.Second)
		_, err := k.kube.run(ctx, nil, append(args, kind+"/"+name, "--timeout="+left.String())...)
		if err != nil {
			k.judge(name, "healthy", time.Since(began), fmt.Errorf("%w; %s", err, k.trouble(ctx, name)), "")
			all = false
		}
		return err == nil
	}
	for _, b := range k.model.Backing {
		if b.Container != nil && wait(b.Name, "statefulset", "rollout", "status") {
			k.judge(b.Name, "healthy", time.Since(began), nil, "its StatefulSet is rolled out")
		}
	}
	for _, w := range k.model.Workloads {
		switch {
		case w.Kind == prod.Cron:
			k.add(w.Name, "healthy", NotProven, 0, "a CronJob runs when it is due, and no rehearsal waits for that")
		case w.Replicas == 0:
			k.add(w.Name, "healthy", NotProven, 0, "autostart: false: it is applied and not started")
		case w.Kind == prod.Job:
			if wait(w.Name, "job", "wait", "--for=condition=complete") {
				k.judge(w.Name, "healthy", time.Since(began), nil, "its Job is complete")
			}
		case wait(w.Name, "deployment", "rollout", "status"):
			k.started(w, began)
		}
	}
	return all
}

// started says how a workload that is rolled out came to be so.
func (k *kubeRun) started(w prod.Workload, began time.Time) {
	for _, p := range k.pods.of(w.Name) {
		if p.Ready.IsZero() {
			continue
		}
		seen := "Ready as soon as it runs: it has no probe"
		if w.Probe != nil {
			took := p.Ready.Sub(p.Running)
			seen = fmt.Sprintf("Ready %s after its container started: a start_period of %s would do, it is %s", seconds(took), suggest(took), w.Probe.StartPeriod)
		}
		if p.Restarts > 0 {
			seen += "; restarted " + plural(p.Restarts, "time") + " before"
		}
		k.add(w.Name, "healthy", Passed, p.Ready.Sub(p.Running), "%s", seen)
		return
	}
	k.judge(w.Name, "healthy", time.Since(began), nil, "its Deployment is rolled out")
}

// seconds is a time as people compare them.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// trouble is why a workload's pods are not ready: Kubernetes' words, and the last of theirs.
func (k *kubeRun) trouble(ctx context.Context, workload string) string {
	var out []string
	for _, p := range k.pods.of(workload) {
		out = append(out, strings.TrimSpace(p.Name+" "+p.Trouble))
		if log, err := k.kube.run(ctx, nil, "logs", p.Name, "--tail=5"); err == nil && len(log) > 0 {
			out = append(out, strings.TrimSpace(string(log)))
		}
	}
	if len(out) == 0 {
		return "it has no pod"
	}
	return strings.Join(out, "; ")
}

// kubeEnvironment prints the environment of a container's own process, which is the first one beside the pod's.
const kubeEnvironment = `
const fs = require('fs'), pids = fs.readdirSync('/proc').filter(p => /^\d+$/.test(p) && +p !== process.pid).map(Number).sort((a, b) => a - b);
for (const pid of pids) try {
	if (fs.readFileSync('/proc/' + pid + '/cmdline', 'latin1').startsWith('/pause')) continue;
	process.stdout.write(fs.readFileSync('/proc/' + pid + '/environ').toString('base64'));
	break;
} catch {}
`

// environment compares what a workload's process was started with to the model.
func (k *kubeRun) environment(ctx context.Context, w prod.Workload) {
	const claim = "environment"
	if w.Kind != prod.Service || w.Replicas == 0 {
		return
	}
	if !w.HasNode() {
		k.add(w.Name, claim, NotProven, 0, "its image has no Node.js, which would read the process's environment")
		return
	}
	began := time.Now()
	seen, err := k.kube.environment(ctx, w)
	image := seen // of an image that only the cluster has, it is not known what is its own
	if err == nil && k.Registry != "" {
		image, err = imageEnvironment(ctx, k.Images[w.App])
	}
	if err != nil {
		k.judge(w.Name, claim, time.Since(began), err, "")
		return
	}
	verdict, detail := judgeEnvironment(w, k.Secrets, seen, image, nil)
	if verdict == Passed {
		detail += ", and KUBERNETES_*, which every pod has"
	}
	k.add(w.Name, claim, verdict, time.Since(began), "%s", detail)
}

// environment is all that a workload's process was started with, but for what every pod has.
func (k kubectl) environment(ctx context.Context, w prod.Workload) (map[string]string, error) {
	out, err := k.run(ctx, nil, "exec", "deployment/"+w.Name, "--", "node", "-e", kubeEnvironment)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(string(out))
	if err == nil && len(raw) == 0 {
		err = errors.New("cannot read the container's processes")
	}
	seen := environment(strings.Split(string(raw), "\x00"))
	maps.DeleteFunc(seen, func(name, _ string) bool { return strings.HasPrefix(name, "KUBERNETES_") })
	return seen, err
}
