package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"

	"devstack/profiles/prod"
	"devstack/stack"
)

// renderer writes the documents of one stack.
type renderer struct {
	report
	launch launch
	files  []prod.File
}

// Render is a model as ECS runs it: README.md and required.json first, then a directory for every task. What ECS cannot
// express is stack.Errors, all problems at once; a parameter that the documents have no place for is a
// *stack.UnknownError.
func Render(m prod.Model, o Options) ([]prod.File, []prod.Entry, error) {
	r := &renderer{report: report{names{m.Name, o.Parameters}, prod.Notes{Target: Target, Model: m}, o}, launch: launchOf(o)}
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		if !slices.ContainsFunc(parameters(m), func(p Parameter) bool { return p.Name == name }) {
			return nil, nil, &stack.UnknownError{Kind: "parameter", Name: name}
		}
	}
	for _, b := range m.Backing {
		if b.Container != nil {
			r.Found = append(r.Found, &stack.Error{
				File: m.Source, Message: "service " + b.Name + ": ECS has no volume that a database may keep its data in",
				Hint: "leave it managed, and give its URL as a secret; or export to kubernetes",
			})
		}
	}
	r.checkAccount()
	tasks := r.tasks()
	r.files = append(r.files, prod.File{Path: "README.md", Data: []byte(readme)})
	r.add(RequiredFile, required(m, r.names, tasks))
	for _, t := range tasks {
		r.task(t)
	}
	if len(r.Found) > 0 {
		return nil, nil, r.Found
	}
	return r.files, r.Entries, nil
}

// task renders one directory.
func (r *renderer) task(t task) {
	d := r.taskDefinition(t)
	r.checkLimits(t, d)
	r.add(path.Join(t.name, TaskDefinitionFile), d)
	switch t.members[0].Kind {
	case prod.Job:
		r.add(path.Join(t.name, RunTaskFile), r.runTask(t))
	case prod.Cron:
		r.add(path.Join(t.name, ScheduleFile), r.schedule(t))
	default:
		r.add(path.Join(t.name, ServiceFile), r.service(t))
	}
	for _, w := range t.members {
		r.account(t, w)
	}
}

// add appends a document.
func (r *renderer) add(name string, document any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		r.Found = append(r.Found, &stack.Error{File: r.Model.Source, Message: fmt.Sprintf("cannot write %s: %v", name, err)})
	}
	r.files = append(r.files, prod.File{Path: name, Data: b.Bytes()})
}

// launch is how tasks are started. Fargate alone has a version and takes a public address; tasks reach the internet through
// a NAT gateway or endpoints.
type launch struct{ kind, platform, publicIP string }

func launchOf(o Options) launch {
	if o.EC2 {
		return launch{kind: "EC2"}
	}
	return launch{"FARGATE", "LATEST", "DISABLED"}
}
