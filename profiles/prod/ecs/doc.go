// Package ecs renders a production model for Amazon ECS: for every app a directory with a task definition and, by its
// kind, a service, the input of run-task, or a schedule. They are the JSON that `aws ecs register-task-definition`,
// `create-service` and `run-task` and `aws scheduler create-schedule` take with --cli-input-json.
//
// What it promises: Render is pure, and AWS takes what it returns; conformance/ecs shows that. Plain values are in the documents byte for byte;
// secrets are names of parameters in Parameter Store. What an account must have before the first deployment is in
// required.json: roles, log groups, secrets, images and the cluster.
//
// What it does not: it knows no account. What only an account knows is a placeholder, ${AWS_REGION}, unless
// Options.Parameters gives it. A backing service is managed outside; a container for one is refused, because Fargate
// keeps no data. Nobody outside of the cluster reaches a service until a load balancer is attached to it.
package ecs

// Options is how a model is to run on ECS. The zero value is Fargate and a task for every app.
type Options struct {
	EC2          bool // on container instances of the account instead of Fargate
	GroupWorkers bool // all services that run once and listen on nothing share one task: cheaper, and they fail together

	// Parameters are the values of placeholders, by name as required.json lists them. What is missing stays ${NAME}.
	Parameters map[string]string
}

// Target is the name of this target in reports.
const Target = "ecs"

// The names of the files in an app's directory.
const (
	TaskDefinitionFile = "task-definition.json"
	ServiceFile        = "service.json"
	RunTaskFile        = "run-task.json"
	ScheduleFile       = "schedule.json"
	RequiredFile       = "required.json"
)
