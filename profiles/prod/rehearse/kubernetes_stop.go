package rehearse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// stop asks every workload to end, by scaling it to nothing, and judges how it did.
func (k *kubeRun) stop(ctx context.Context) {
	k.say("stopping every workload")
	ctx, cancel := context.WithTimeout(ctx, rolloutTime)
	defer cancel()
	var stopping []prod.Workload
	args := []string{"scale", "--replicas=0"}
	for _, w := range k.model.Workloads {
		if w.Kind == prod.Service && w.Replicas > 0 {
			stopping = append(stopping, w)
			args = append(args, "deployment/"+w.Name)
		}
	}
	if len(stopping) == 0 {
		return
	}
	began := time.Now()
	_, err := k.kube.run(ctx, nil, args...)
	for _, w := range stopping {
		failed := err
		if failed == nil {
			failed = k.pods.until(ctx, w.Name, func(pods []podSeen) bool {
				return !slices.ContainsFunc(pods, func(p podSeen) bool { return p.Ended.IsZero() })
			})
		}
		seen, took := "", time.Since(began)
		if failed == nil {
			seen, took, failed = stopSeen(w, k.pods.of(w.Name))
		}
		k.judge(w.Name, "graceful stop", took, failed, seen)
	}
}

// stopSeen judges how the pods of a workload ended. SIGKILL is exit code 137; 143 is a program without a handler for SIGTERM,
// which ends by it at once.
func stopSeen(w prod.Workload, pods []podSeen) (seen string, longest time.Duration, err error) {
	slices.SortFunc(pods, func(a, b podSeen) int { return a.Stopped.Compare(b.Stopped) })
	var out []string
	for _, p := range pods {
		took := p.Ended.Sub(p.Stopped)
		switch {
		case p.ExitCode != 0 && p.ExitCode != 143:
			return "", took, fmt.Errorf("%s ended with exit code %d after %s", p.Name, p.ExitCode, seconds(took))
		case took > p.Grace:
			return "", took, fmt.Errorf("%s needed %s of %s", p.Name, seconds(took), p.Grace)
		}
		longest = max(longest, took)
		out = append(out, fmt.Sprintf("exit code %d after %s of %s", p.ExitCode, seconds(took), p.Grace))
	}
	if len(out) == 0 {
		return "", 0, fmt.Errorf("%s had no pod", w.Name)
	}
	seen = strings.Join(out, "; ")
	if len(w.Ports) > 0 {
		seen += "; the wait before SIGTERM is included"
	}
	return seen, longest, nil
}
