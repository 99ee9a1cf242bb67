package rehearse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// clientPort is where the client's pod listens, for whoever must not be able to reach it.
const clientPort = 8099

// client is a pod that talks to the stack by its Services, from outside of the stack: it has none of its labels. Its image
// is the front's, for its Node.js.
type client struct {
	*kubeRun
	front prod.Workload
}

func (c client) start(ctx context.Context) error {
	out, err := c.kube.run(ctx, nil, "get", "deployment", c.front.Name, "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	if err != nil {
		return err
	}
	type object = map[string]any
	urls := []object{}
	for _, v := range trialEnvironment(c.model.Workloads) {
		name, value, _ := strings.Cut(v, "=")
		urls = append(urls, object{"name": name, "value": value})
	}
	manifest, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": kubeClient, "labels": object{"app.kubernetes.io/name": kubeClient}},
		"spec": object{
			"automountServiceAccountToken": false, "enableServiceLinks": false, "terminationGracePeriodSeconds": 0,
			"securityContext": object{"runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001, "seccompProfile": object{"type": "RuntimeDefault"}},
			"containers": []object{{
				"name": "client", "image": string(out),
				"env":             urls,
				"command":         []string{"node", "-e", fmt.Sprintf("require('net').createServer(s => s.end()).listen(%d)", clientPort)},
				"securityContext": object{"allowPrivilegeEscalation": false, "capabilities": object{"drop": []string{"ALL"}}},
			}},
		},
	})
	if err != nil {
		return err
	}
	if _, err := c.kube.run(ctx, manifest, "create", "-f", "-"); err != nil {
		return err
	}
	_, err = c.kube.run(ctx, nil, "wait", "--for=condition=Ready", "pod/"+kubeClient, "--timeout="+rolloutTime.String())
	return err
}

// trial makes the stack do its work, from the client's pod and by the names of the Services.
func (c client) trial(ctx context.Context) {
	if c.Trial == "" {
		c.add("stack", "pipeline", NotProven, 0, "nobody gave a program that makes it do its work")
		return
	}
	c.say("making the stack do its work")
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, trialLimit, errors.New("it took longer than "+trialLimit.String()))
	defer cancel()
	out, err := c.kube.run(ctx, nil, "exec", kubeClient, "--", "node", "--input-type=module", "-e", c.Trial)
	c.judge("stack", "pipeline", time.Since(began), err, strings.TrimSpace(lastLines(string(out), 1))+", asked from a pod outside of the stack")
}

// load asks until its standard input ends: two clients with a new connection for each request, two that keep theirs. A
// request on a kept connection that the server had closed meanwhile is sent again once, as HTTP clients do, and counted.
const load = `
const http = require('http'), url = process.argv[1], seen = { asked: 0, failed: 0, resent: 0, errors: {} };
let ended = false;
process.stdin.resume().on('end', () => ended = true);
const get = agent => new Promise(done => {
	const req = http.get(url, { agent, timeout: 10000 }, res => res.resume().on('end', () => done(res.statusCode < 400 ? null : 'status ' + res.statusCode)).on('error', err => done(err.code || err.message)));
	req.on('timeout', () => req.destroy(new Error('no answer in 10 s')));
	req.on('error', err => {
		if (!req.reusedSocket || err.code !== 'ECONNRESET') return done(err.code || err.message);
		seen.resent++;
		get(new http.Agent()).then(done);
	});
});
const client = async keep => {
	for (const agent = keep ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false; !ended;) {
		const error = await get(agent);
		if (seen.asked++ === 0) console.log('asking');
		if (error) { seen.failed++; seen.errors[error] = (seen.errors[error] || 0) + 1 }
		await new Promise(done => setTimeout(done, 2));
	}
};
Promise.all([client(false), client(false), client(true), client(true)]).then(() => { console.log(JSON.stringify(seen)); process.exit() });
`

// loadSeen is what the load counted.
type loadSeen struct {
	Asked, Failed, Resent int
	Errors                map[string]int
}

// rollingUpdate replaces the front's pods while it is asked.
func (c client) rollingUpdate(ctx context.Context) {
	c.say("replacing %s under load", c.front.Name)
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 2*rolloutTime)
	defer cancel()
	var took time.Duration
	seen, err := c.underLoad(ctx, func() error {
		before := len(c.pods.of(c.front.Name))
		_, err := c.kube.run(ctx, nil, "rollout", "restart", "deployment/"+c.front.Name)
		if err == nil {
			_, err = c.kube.run(ctx, nil, "rollout", "status", "deployment/"+c.front.Name, "--timeout="+rolloutTime.String())
		}
		if err == nil {
			err = c.pods.until(ctx, c.front.Name, func(pods []podSeen) bool {
				ended := 0
				for _, p := range pods {
					if !p.Ended.IsZero() {
						ended++
					}
				}
				return ended >= before
			})
		}
		took = time.Since(began)
		return err
	})
	if err == nil && (seen.Failed > 0 || seen.Asked == 0) {
		err = fmt.Errorf("%d of %d requests failed: %v", seen.Failed, seen.Asked, seen.Errors)
	}
	c.judge(c.front.Name, "rolling update under load", time.Since(began), err,
		fmt.Sprintf("%d requests in %s, 0 failed, from before until the old pod had ended; half of the clients keep their connections (%d requests resent on one that was closed)", seen.Asked, seconds(took), seen.Resent))
}

// underLoad does something while the front is asked from the client's pod.
func (c client) underLoad(ctx context.Context, do func() error) (seen loadSeen, err error) {
	path := ""
	if c.front.Probe != nil && c.front.Probe.Kind == prod.HTTP {
		path = c.front.Probe.Path
	}
	cmd := c.kube.command(ctx, "exec", "--stdin", kubeClient, "--", "node", "-e", load, fmt.Sprintf("http://%s:%d%s", c.front.Name, c.front.Ports[0].Number, path))
	var side bytes.Buffer
	cmd.Stderr = &side
	in, err := cmd.StdinPipe()
	if err != nil {
		return seen, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return seen, err
	}
	if err := cmd.Start(); err != nil {
		return seen, err
	}
	lines := bufio.NewScanner(out)
	var failed error
	if lines.Scan() && lines.Text() == "asking" {
		failed = do()
	} else {
		failed = errors.New("the load did not start")
	}
	_ = in.Close() // ends the load; if it is gone already, Wait tells
	if lines.Scan() {
		failed = errors.Join(failed, json.Unmarshal(lines.Bytes(), &seen))
	} else {
		failed = errors.Join(failed, errors.New("the load did not tell what it counted"))
	}
	if err := cmd.Wait(); err != nil {
		failed = errors.Join(failed, fmt.Errorf("cannot run kubectl exec: %w: %s", err, strings.TrimSpace(side.String())))
	}
	return seen, failed
}

// connect ends with 0 when a connection to HOST PORT can be made, with 7 when it cannot.
const connect = `
const s = require('net').connect(+process.argv[2], process.argv[1], () => process.exit(0)).on('error', () => process.exit(7));
s.setTimeout(5000, () => process.exit(7));
`

// networkPolicy tries a connection that no policy of the base allows: from an app to a pod that its edges do not name.
func (c client) networkPolicy(ctx context.Context) {
	const claim = "network policies enforced"
	began := time.Now()
	not := func(why string) {
		c.add("stack", claim, NotProven, time.Since(began), "%s", why)
	}
	address, err := c.kube.run(ctx, nil, "get", "pod", kubeClient, "-o", "jsonpath={.status.podIP}")
	if err != nil {
		not("there is no pod to try a connection to")
		return
	}
	try := func(from string) error {
		_, err := c.kube.run(ctx, nil, "exec", from, "--", "node", "-e", connect, string(address), fmt.Sprint(clientPort))
		return err
	}
	if err := try(kubeClient); err != nil {
		not("the pod to try it on does not listen: " + err.Error())
		return
	}
	switch err := try("deployment/" + c.front.Name); {
	case err == nil:
		not("the policies are accepted, but a connection that none of them allows was made: this cluster's network does not enforce them; rehearse on one that does")
	case strings.Contains(err.Error(), "exit code 7"):
		c.judge("stack", claim, time.Since(began), nil, "a connection that no policy allows could not be made")
	default:
		not(err.Error())
	}
}
