package ecs

import (
	"slices"
	"strings"

	"devstack/profiles/prod"
)

// Required is what an account must have before the first deployment, and in what order to deploy.
type Required struct {
	Cluster    string      `json:"cluster"`
	Namespace  string      `json:"namespace,omitempty"` // of Service Connect, in AWS Cloud Map
	Parameters []Parameter `json:"parameters"`
	Secrets    []Needed    `json:"secrets"`
	Roles      []Role      `json:"roles"`
	LogGroups  []string    `json:"logGroups"`
	Images     []Picture   `json:"images"`
	Backing    []Endpoint  `json:"backing"`
	Order      []string    `json:"order"` // documents, as they are to be deployed
}

// Parameter is a placeholder that the documents have until it is given.
type Parameter struct {
	Name  string `json:"name"`
	Use   string `json:"use"`
	Value string `json:"value,omitempty"` // as given
}

// Needed is a secret: a SecureString in Parameter Store.
type Needed struct {
	Name     string      `json:"name"`
	Variable string      `json:"variable"`
	Reason   prod.Reason `json:"reason"`
	Users    []string    `json:"users"`
}

// Role is a role of IAM, who takes it, and all that it must be allowed.
type Role struct {
	Arn    string  `json:"arn"`
	Taker  string  `json:"taker"`
	Use    string  `json:"use"`
	Allows []Grant `json:"allows"`
}

// Grant are actions on resources.
type Grant struct {
	Actions   []string `json:"actions"`
	Resources []string `json:"resources"`
}

// Picture is an image that a registry must have.
type Picture struct {
	Repository string `json:"repository"`
	Reference  string `json:"reference"` // a placeholder until one is given
}

// Endpoint is a backing service that must run somewhere, of the version of Image.
type Endpoint struct {
	Name  string           `json:"name"`
	Kind  prod.BackingKind `json:"kind"`
	Image string           `json:"image"`
	Port  int              `json:"port,omitempty"`
	Users []string         `json:"users"`
}

// parameters are all placeholders that the documents have a place for.
func parameters(m prod.Model) []Parameter {
	out := []Parameter{
		{Name: "AWS_ACCOUNT_ID", Use: "the account, twelve digits"},
		{Name: "AWS_REGION", Use: "the region, as in eu-central-1"},
		{Name: "SUBNET_A", Use: "a private subnet"},
		{Name: "SUBNET_B", Use: "a private subnet in another Availability Zone of the same VPC"},
		{Name: "SECURITY_GROUP", Use: "of all tasks: lets them reach each other, the backing services and the internet"},
	}
	for _, w := range m.Workloads {
		if w.Image.Reference == "" {
			out = append(out, Parameter{Name: w.Image.Variable, Use: "the image of " + w.Name + ", with its digest"})
		}
	}
	return out
}

func required(m prod.Model, n names, tasks []task) Required {
	q := Required{
		Cluster: n.stack, Parameters: parameters(m), Secrets: secrets(m, n),
		LogGroups: []string{}, Images: []Picture{}, Backing: []Endpoint{}, Order: order(tasks),
	}
	for i, p := range q.Parameters {
		q.Parameters[i].Value = n.given[p.Name]
	}
	if slices.ContainsFunc(tasks, func(t task) bool { return t.connect }) {
		q.Namespace = n.stack
	}
	for _, w := range m.Workloads {
		q.LogGroups = append(q.LogGroups, n.logGroup(w.Name))
		q.Images = append(q.Images, Picture{Repository: w.Image.Repository, Reference: n.image(w.Image)})
	}
	for _, b := range m.Backing {
		q.Backing = append(q.Backing, Endpoint{Name: b.Name, Kind: b.Kind, Image: b.Image, Port: b.Port, Users: b.Consumers})
	}
	q.Roles = roles(q, n, tasks)
	return q
}

// secrets are every workload's, by name; the first reason stands.
func secrets(m prod.Model, n names) []Needed {
	out := []Needed{}
	for _, w := range m.Workloads {
		for _, s := range w.Secrets {
			i := slices.IndexFunc(out, func(n Needed) bool { return n.Variable == s.Name })
			if i < 0 {
				i = len(out)
				out = append(out, Needed{Name: n.secret(s.Name), Variable: s.Name, Reason: s.Reason})
			}
			out[i].Users = append(out[i].Users, w.Name)
		}
	}
	slices.SortFunc(out, func(a, b Needed) int { return strings.Compare(a.Variable, b.Variable) })
	return out
}

// roles name the least that is needed: the apps' own roles allow nothing until an app calls AWS.
func roles(q Required, n names, tasks []task) []Role {
	var repositories, streams, parameters []string
	for i, image := range q.Images {
		repositories = append(repositories, n.arn("ecr", "repository/"+image.Repository))
		streams = append(streams, n.arn("logs", "log-group:"+q.LogGroups[i]+":*"))
	}
	for _, s := range q.Secrets {
		parameters = append(parameters, n.arn("ssm", "parameter"+s.Name))
	}
	execution := Role{
		Arn: n.executionRole(), Taker: "ecs-tasks.amazonaws.com", Use: "ECS starts tasks with it: pulls images, writes logs, reads secrets",
		Allows: []Grant{
			{[]string{"ecr:GetAuthorizationToken"}, []string{"*"}},
			{[]string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, repositories},
			{[]string{"logs:CreateLogStream", "logs:PutLogEvents"}, streams},
		},
	}
	if parameters != nil {
		execution.Allows = append(execution.Allows, Grant{[]string{"ssm:GetParameters"}, parameters})
	}
	out := []Role{execution}
	var scheduled []string
	passed := []string{n.executionRole()}
	for _, t := range tasks {
		out = append(out, Role{Arn: n.taskRole(t), Taker: "ecs-tasks.amazonaws.com", Use: "what " + t.name + " itself may do in AWS", Allows: []Grant{}})
		if t.members[0].Kind == prod.Cron {
			scheduled = append(scheduled, n.arn("ecs", "task-definition/"+n.family(t)+":*"))
			passed = append(passed, n.taskRole(t))
		}
	}
	if scheduled != nil {
		out = append(out, Role{
			Arn: n.scheduleRole(), Taker: "scheduler.amazonaws.com", Use: "EventBridge Scheduler starts tasks with it",
			Allows: []Grant{{[]string{"ecs:RunTask"}, scheduled}, {[]string{"iam:PassRole"}, passed}},
		})
	}
	return out
}

// order: all task definitions, then jobs to their end, then services, those that others depend on first, then schedules.
func order(tasks []task) []string {
	out := []string{}
	for _, t := range tasks {
		out = append(out, t.name+"/"+TaskDefinitionFile)
	}
	for _, kind := range []struct {
		kind prod.Kind
		file string
	}{{prod.Job, RunTaskFile}, {prod.Service, ServiceFile}, {prod.Cron, ScheduleFile}} {
		for _, t := range dependedFirst(tasks) {
			if w := t.members[0]; w.Kind == kind.kind && (w.Kind != prod.Job || w.Replicas > 0) {
				out = append(out, t.name+"/"+kind.file)
			}
		}
	}
	return out
}

// dependedFirst keeps the order of the files but for dependencies.
func dependedFirst(tasks []task) []task {
	var out []task
	seen := map[string]bool{}
	var visit func(t task)
	visit = func(t task) {
		if seen[t.name] {
			return
		}
		seen[t.name] = true
		for _, w := range t.members {
			for _, e := range w.Edges {
				for _, other := range tasks {
					if !e.Backing && slices.ContainsFunc(other.members, func(m prod.Workload) bool { return m.Name == e.Name }) {
						visit(other)
					}
				}
			}
		}
		out = append(out, t)
	}
	for _, t := range tasks {
		visit(t)
	}
	return out
}
