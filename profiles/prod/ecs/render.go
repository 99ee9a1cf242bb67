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

// renderer is what the parts of one rendering share.
type renderer struct {
	m       prod.Model
	o       Options
	files   []prod.File
	entries []prod.Entry
	found   stack.Errors
}

// Render is a model as ECS runs it: README.md and required.json first, then a directory for every task. What ECS cannot
// express is stack.Errors, all problems at once; a parameter that the documents have no place for is a
// *stack.UnknownError.
func Render(m prod.Model, o Options) ([]prod.File, []prod.Entry, error) {
	r := &renderer{m: m, o: o, entries: []prod.Entry{}}
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		if !slices.ContainsFunc(r.parameters(), func(p Parameter) bool { return p.Name == name }) {
			return nil, nil, &stack.UnknownError{Kind: "parameter", Name: name}
		}
	}
	for _, b := range m.Backing {
		if b.Container != nil {
			r.found = append(r.found, &stack.Error{
				File: m.Source, Message: "service " + b.Name + ": ECS has no volume that a database may keep its data in",
				Hint: "leave it managed, and give its URL as a secret; or export to kubernetes",
			})
		}
	}
	r.checkAccount()
	tasks := r.tasks()
	r.files = append(r.files, prod.File{Path: "README.md", Data: []byte(readme)})
	r.add(RequiredFile, r.required(tasks))
	for _, t := range tasks {
		r.task(t)
	}
	if len(r.found) > 0 {
		return nil, nil, r.found
	}
	return r.files, r.entries, nil
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
		r.found = append(r.found, &stack.Error{File: r.m.Source, Message: fmt.Sprintf("cannot write %s: %v", name, err)})
	}
	r.files = append(r.files, prod.File{Path: name, Data: b.Bytes()})
}

// refuse records that ECS cannot express a key of an app.
func (r *renderer) refuse(w prod.Workload, key, message, hint string) {
	r.found = append(r.found, r.m.Refuse(w.App, key, message, hint))
}

// parameter is a placeholder's value, or the placeholder.
func (r *renderer) parameter(name string) string {
	if value := r.o.Parameters[name]; value != "" {
		return value
	}
	return placeholder(name)
}

func placeholder(name string) string { return "${" + name + "}" }

func (r *renderer) launchType() string {
	if r.o.EC2 {
		return "EC2"
	}
	return "FARGATE"
}

// platformVersion is Fargate's alone.
func (r *renderer) platformVersion() string {
	if r.o.EC2 {
		return ""
	}
	return "LATEST"
}

// assignPublicIP is Fargate's alone, too: tasks reach the internet through a NAT gateway or endpoints.
func (r *renderer) assignPublicIP() string {
	if r.o.EC2 {
		return ""
	}
	return "DISABLED"
}

// arn is a name of AWS in the account.
func (r *renderer) arn(service, resource string) string {
	region := r.parameter("AWS_REGION")
	if service == "iam" {
		region = ""
	}
	return "arn:aws:" + service + ":" + region + ":" + r.parameter("AWS_ACCOUNT_ID") + ":" + resource
}
