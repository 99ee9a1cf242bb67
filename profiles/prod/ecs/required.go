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
func (r *renderer) parameters() []Parameter {
	out := []Parameter{
		{Name: "AWS_ACCOUNT_ID", Use: "the account, twelve digits"},
		{Name: "AWS_REGION", Use: "the region, as in eu-central-1"},
		{Name: "SUBNET_A", Use: "a private subnet"},
		{Name: "SUBNET_B", Use: "a private subnet in another Availability Zone of the same VPC"},
		{Name: "SECURITY_GROUP", Use: "of all tasks: lets them reach each other, the backing services and the internet"},
	}
	for _, w := range r.m.Workloads {
		if w.Image.Reference == "" {
			out = append(out, Parameter{Name: w.Image.Variable, Use: "the image of " + w.Name + ", with its digest"})
		}
	}
	return out
}

func (r *renderer) required(tasks []task) Required {
	q := Required{
		Cluster: r.m.Name, Parameters: r.parameters(), Secrets: r.secrets(),
		Roles: r.roles(tasks), LogGroups: []string{}, Images: []Picture{}, Backing: []Endpoint{}, Order: order(tasks),
	}
	for i, p := range q.Parameters {
		q.Parameters[i].Value = r.o.Parameters[p.Name]
	}
	if slices.ContainsFunc(tasks, func(t task) bool { return t.connect }) {
		q.Namespace = r.m.Name
	}
	for _, w := range r.m.Workloads {
		q.LogGroups = append(q.LogGroups, r.logGroup(w))
		reference := w.Image.Reference
		if reference == "" {
			reference = r.parameter(w.Image.Variable)
		}
		q.Images = append(q.Images, Picture{Repository: w.Image.Repository, Reference: reference})
	}
	for _, b := range r.m.Backing {
		q.Backing = append(q.Backing, Endpoint{Name: b.Name, Kind: b.Kind, Image: b.Image, Port: b.Port, Users: b.Consumers})
	}
	return q
}

// secrets are every workload's, by name; the first reason stands.
func (r *renderer) secrets() []Needed {
	out := []Needed{}
	for _, w := range r.m.Workloads {
		for _, s := range w.Secrets {
			i := slices.IndexFunc(out, func(n Needed) bool { return n.Variable == s.Name })
			if i < 0 {
				i = len(out)
				out = append(out, Needed{Name: r.secret(s.Name), Variable: s.Name, Reason: s.Reason})
			}
			out[i].Users = append(out[i].Users, w.Name)
		}
	}
	slices.SortFunc(out, func(a, b Needed) int { return strings.Compare(a.Variable, b.Variable) })
	return out
}

// roles name the least that is needed: the apps' own roles allow nothing until an app calls AWS.
func (r *renderer) roles(tasks []task) []Role {
	execution := Role{
		Arn: r.executionRole(), Taker: "ecs-tasks.amazonaws.com", Use: "ECS starts tasks with it: pulls images, writes logs, reads secrets",
		Allows: []Grant{
			{[]string{"ecr:GetAuthorizationToken"}, []string{"*"}},
			{[]string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}, r.arns("ecr", "repository/", r.repositories())},
			{[]string{"logs:CreateLogStream", "logs:PutLogEvents"}, r.arns("logs", "log-group:", r.streams())},
		},
	}
	if names := r.secretNames(); len(names) > 0 {
		execution.Allows = append(execution.Allows, Grant{[]string{"ssm:GetParameters"}, r.arns("ssm", "parameter", names)})
	}
	out := []Role{execution}
	for _, t := range tasks {
		out = append(out, Role{Arn: r.taskRole(t), Taker: "ecs-tasks.amazonaws.com", Use: "what " + t.name + " itself may do in AWS", Allows: []Grant{}})
	}
	var scheduled []string
	passed := []string{r.executionRole()}
	for _, t := range tasks {
		if t.members[0].Kind == prod.Cron {
			scheduled = append(scheduled, r.arn("ecs", "task-definition/"+r.family(t)+":*"))
			passed = append(passed, r.taskRole(t))
		}
	}
	if scheduled != nil {
		out = append(out, Role{
			Arn: r.scheduleRole(), Taker: "scheduler.amazonaws.com", Use: "EventBridge Scheduler starts tasks with it",
			Allows: []Grant{{[]string{"ecs:RunTask"}, scheduled}, {[]string{"iam:PassRole"}, passed}},
		})
	}
	return out
}

func (r *renderer) arns(service, prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = r.arn(service, prefix+name)
	}
	return out
}

func (r *renderer) repositories() []string {
	var out []string
	for _, w := range r.m.Workloads {
		out = append(out, w.Image.Repository)
	}
	return out
}

func (r *renderer) streams() []string {
	var out []string
	for _, w := range r.m.Workloads {
		out = append(out, r.logGroup(w)+":*")
	}
	return out
}

func (r *renderer) secretNames() []string {
	var out []string
	for _, n := range r.secrets() {
		out = append(out, n.Name)
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
