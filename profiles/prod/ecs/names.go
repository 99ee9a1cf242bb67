package ecs

import "devstack/profiles/prod"

// names are what everything of one stack is called in the account.
type names struct {
	stack string
	given map[string]string // values of parameters
}

// parameter is a placeholder's value, or the placeholder.
func (n names) parameter(name string) string {
	if value := n.given[name]; value != "" {
		return value
	}
	return placeholder(name)
}

func placeholder(name string) string { return "${" + name + "}" }

// arn is a name of AWS in the account.
func (n names) arn(service, resource string) string {
	region := n.parameter("AWS_REGION")
	if service == "iam" {
		region = ""
	}
	return "arn:aws:" + service + ":" + region + ":" + n.parameter("AWS_ACCOUNT_ID") + ":" + resource
}

func (n names) family(t task) string       { return n.stack + "-" + t.name }
func (n names) taskRole(t task) string     { return n.arn("iam", "role/"+n.family(t)) }
func (n names) executionRole() string      { return n.arn("iam", "role/"+n.stack+"-execution") }
func (n names) scheduleRole() string       { return n.arn("iam", "role/"+n.stack+"-schedule") }
func (n names) logGroup(app string) string { return "/ecs/" + n.stack + "/" + app }

// secret is the name of a parameter in Parameter Store: apps that name the same variable share its value.
func (n names) secret(variable string) string { return "/" + n.stack + "/" + variable }

// image is a workload's reference, or the placeholder for it.
func (n names) image(i prod.Image) string {
	if i.Reference != "" {
		return i.Reference
	}
	return n.parameter(i.Variable)
}
