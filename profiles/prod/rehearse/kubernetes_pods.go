package rehearse

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
)

// pod is what a rehearsal looks at in a pod.
type pod struct {
	Metadata struct {
		Name     string            `json:"name"`
		Labels   map[string]string `json:"labels"`
		Deletion *time.Time        `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Grace int64 `json:"terminationGracePeriodSeconds"`
	} `json:"spec"`
	Status struct {
		Phase      string `json:"phase"`
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"conditions"`
		Containers []struct {
			Restarts int `json:"restartCount"`
			State    struct {
				Waiting *struct {
					Reason  string `json:"reason"`
					Message string `json:"message"`
				} `json:"waiting"`
				Running    *struct{} `json:"running"`
				Terminated *struct {
					ExitCode int    `json:"exitCode"`
					Reason   string `json:"reason"`
				} `json:"terminated"`
			} `json:"state"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

// podSeen is a pod's life by the clock of this machine: each time is when the API server told of it, zero before.
type podSeen struct {
	Name, Workload                 string
	Running, Ready, Stopped, Ended time.Time
	Grace                          time.Duration // between Stopped and SIGKILL
	ExitCode                       int           // once Ended
	Restarts                       int
	Trouble                        string // why it is not running, in Kubernetes' words
}

// see is the next state of what is known of a pod.
func (s podSeen) see(p pod, now time.Time) podSeen {
	s.Name, s.Workload = p.Metadata.Name, p.Metadata.Labels["app.kubernetes.io/name"]
	s.Grace = time.Duration(p.Spec.Grace) * time.Second
	s.Trouble = ""
	once := func(at *time.Time, is bool) {
		if is && at.IsZero() {
			*at = now
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status == "False" && c.Message != "" {
			s.Trouble = c.Message
		}
		once(&s.Ready, c.Type == "Ready" && c.Status == "True")
	}
	once(&s.Stopped, p.Metadata.Deletion != nil)
	for _, c := range p.Status.Containers {
		s.Restarts = c.Restarts
		once(&s.Running, c.State.Running != nil)
		if w := c.State.Waiting; w != nil {
			s.Trouble = w.Reason + " " + w.Message
		}
		if t := c.State.Terminated; t != nil {
			s.ExitCode = t.ExitCode
			once(&s.Ended, true)
		}
	}
	return s
}

// podWatch follows every pod of a namespace, and what it prints from its start to its end.
type podWatch struct {
	mu      sync.Mutex
	pods    map[string]podSeen
	changed chan struct{} // closed and replaced with every change
	err     error         // why it ended

	logs    sync.WaitGroup // of containers that may still print
	printed []byte         // by containers that have ended
	unread  []string       // pods whose log could not be read to its end
}

// watchPods follows until ctx ends.
func watchPods(ctx context.Context, k kubectl) *podWatch {
	w := &podWatch{pods: map[string]podSeen{}, changed: make(chan struct{})}
	go func() {
		err := w.follow(ctx, k)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
		close(w.changed)
		w.changed = make(chan struct{})
	}()
	return w
}

func (w *podWatch) follow(ctx context.Context, k kubectl) error {
	cmd := k.command(ctx, "get", "pods", "--watch", "--output-watch-events", "-o", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for d := json.NewDecoder(out); ; {
		var event struct {
			Object pod `json:"object"`
		}
		if err := d.Decode(&event); err != nil {
			_ = cmd.Wait()
			return err
		}
		if name := event.Object.Metadata.Name; w.see(event.Object) && name != kubeClient {
			w.logs.Go(func() { w.read(ctx, k, name) })
		}
	}
}

// see takes a change in, and says whether the pod runs from now on.
func (w *podWatch) see(p pod) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.pods[p.Metadata.Name]
	after := before.see(p, time.Now())
	w.pods[p.Metadata.Name] = after
	close(w.changed)
	w.changed = make(chan struct{})
	return before.Running.IsZero() && !after.Running.IsZero()
}

func (w *podWatch) read(ctx context.Context, k kubectl, name string) {
	out, err := k.run(ctx, nil, "logs", name, "--follow")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.printed = append(w.printed, out...)
	if err != nil {
		w.unread = append(w.unread, name)
	}
}

// output is what all pods have printed; it waits until they have ended.
func (w *podWatch) output() ([]byte, error) {
	w.logs.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unread) > 0 {
		return w.printed, fmt.Errorf("cannot read the logs of %s to their end", strings.Join(w.unread, ", "))
	}
	return w.printed, nil
}

// of are the pods of a workload, those that are gone, too.
func (w *podWatch) of(workload string) []podSeen {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []podSeen
	for p := range maps.Values(w.pods) {
		if p.Workload == workload {
			out = append(out, p)
		}
	}
	return out
}

// until waits for a state of a workload's pods.
func (w *podWatch) until(ctx context.Context, workload string, state func([]podSeen) bool) error {
	for {
		w.mu.Lock()
		changed, err := w.changed, w.err
		w.mu.Unlock()
		if state(w.of(workload)) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
