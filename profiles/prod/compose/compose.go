// Package compose writes a production model as one Compose file that `docker compose` of any age since 2.0 runs, and
// says what Compose cannot do.
//
// What it promises: every image is a digest or a required variable, nothing is built, and no path of a host is mounted.
// Every workload runs as its user on a read-only root with a /tmp in memory, without capabilities and without a way to
// gain any, under a memory limit, a limit of processes and a limit of logs. Nothing is published that Options.Publish
// does not name. Plain values reach the process byte for byte; a value that YAML cannot carry is refused.
//
// Secrets are required variables, ${NAME:?}, that docker compose takes from its caller's environment or from .env beside
// the file: the process then sees the variable that it sees in development, and `docker compose up` refuses to start
// without it. Compose's own secrets are files below /run/secrets, which no unchanged app reads; a shell in front that
// turned them into variables would eat trailing newlines and want a shell in every image. The price: who may ask the
// engine (docker inspect) can read them, and who may do that is root there anyway. A name is one value for all
// workloads that have it.
//
// What it does not: Compose does not restart what is unhealthy, has no clock for jobs, and replaces a container by
// stopping it first. The entries say so for every app that asks for it. It is no file for docker stack deploy, which takes
// neither conditions of depends_on nor a limit of swap.
package compose

import (
	"bytes"
	"path"

	"go.yaml.in/yaml/v4"

	"devstack/profiles/prod"
)

// Target is this target's name in reports.
const Target = "compose"

// Options is what a model cannot say about a machine with docker compose.
type Options struct {
	Publish map[string]string // app -> HOST_IP:PORT, where its port is published; no other one is
}

// Render is compose.yaml, and env.example with the variables that it needs. What Compose cannot express is stack.Errors;
// an app in Options that the model does not have is a *stack.UnknownError.
func Render(m prod.Model, o Options) ([]prod.File, []prod.Entry, error) {
	r := &renderer{Notes: prod.Notes{Target: Target, Model: m}, options: o}
	if err := r.checkPublish(); err != nil {
		return nil, nil, err
	}
	d := document{Name: m.Name, Services: map[string]service{}, Volumes: map[string]struct{}{}}
	for _, w := range m.Workloads {
		d.Services[w.Name] = r.workload(w)
	}
	for _, b := range m.Backing {
		if b.Container == nil {
			continue
		}
		d.Services[b.Name] = r.backing(b)
		for _, v := range b.Container.Volumes {
			d.Volumes[v.Name] = struct{}{}
		}
	}
	if len(r.Found) > 0 {
		return nil, nil, r.Found
	}
	body, err := encode(d)
	if err != nil {
		return nil, nil, err
	}
	return []prod.File{
		{Path: "compose.yaml", Data: body},
		{Path: "env.example", Data: r.given.example()},
	}, r.Entries, nil
}

// renderer collects what the services of one file have in common.
type renderer struct {
	prod.Notes
	options Options
	given   given
}

// encode is a document as YAML that every parser reads alike: words that YAML 1.1 takes for other than text are quoted.
func encode(d document) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(prod.Header)
	// Without a line width: a wrapped command is harder to read, and to compare, than a long one.
	e, err := yaml.NewDumper(&b, yaml.WithV3Defaults(), yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, err
	}
	if err := e.Dump(d); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// target is a path in a container, which Compose wants without a slash at the end.
func target(p string) string { return literal(path.Clean(p)) }
