package ecs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"devstack/profiles/prod/ecs"
)

func spoil(t *testing.T, data []byte, path string, value any) []byte {
	t.Helper()
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	keys := strings.Split(path, "/")
	at := tree
	for _, key := range keys[:len(keys)-1] {
		at = child(t, at, key)
	}
	last := keys[len(keys)-1]
	switch x := at.(type) {
	case map[string]any:
		if value == nil {
			delete(x, last)
		} else {
			x[last] = value
		}
	case []any:
		var i int
		if _, err := fmt.Sscan(last, &i); err != nil {
			t.Fatal(err)
		}
		x[i] = value
	}
	out, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func child(t *testing.T, at any, key string) any {
	t.Helper()
	switch x := at.(type) {
	case map[string]any:
		return x[key]
	case []any:
		var i int
		if _, err := fmt.Sscan(key, &i); err == nil && i < len(x) {
			return x[i]
		}
	}
	t.Fatalf("there is no %s in %v", key, at)
	return nil
}

type list = []any

type object = map[string]any

const (
	first  = "containerDefinitions/0/"
	second = "containerDefinitions/1/"
	health = first + "healthCheck/"
	logs   = first + "logConfiguration/options/"
	awsvpc = "networkConfiguration/awsvpcConfiguration/"
)

var web = list{object{"name": "web", "containerPort": 80}}

// Every rule refuses its bad example, and finds it where it is. The good one is the golden file that is spoiled.
var bad = []struct {
	file, path string
	value      any
	rule       string
}{
	{"workers/task-definition.json", "family", "a b", "format"},
	{"workers/task-definition.json", "family", strings.Repeat("f", 256), "format"},
	{"workers/task-definition.json", "networkMode", "bridge", "fargate-network"},
	{"workers/task-definition.json", "executionRoleArn", nil, "execution-role"},
	{"workers/task-definition.json", "executionRoleArn", "execution", "format"},
	{"workers/task-definition.json", "taskRoleArn", "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 65), "format"},
	{"workers/task-definition.json", "cpu", "1025", "fargate-size"},
	{"workers/task-definition.json", "cpu", "1 vCPU", "number"},
	{"workers/task-definition.json", "cpu", "512", "sum"},
	{"workers/task-definition.json", "memory", "3000", "fargate-size"},
	{"workers/task-definition.json", "memory", nil, "fargate-size"},
	{"workers/task-definition.json", "containerDefinitions", list{}, "essential"},
	{"web-api/task-definition.json", first + "essential", false, "essential"},
	{"workers/task-definition.json", second + "name", "worker", "twice"},
	{"workers/task-definition.json", "volumes/1/name", "tmp-worker", "twice"},
	{"workers/task-definition.json", "volumes/1/name", "tmp worker", "format"},
	{"workers/task-definition.json", first + "mountPoints/0/sourceVolume", "data", "volume"},
	{"workers/task-definition.json", first + "name", "a.b", "format"},
	{"workers/task-definition.json", first + "image", "", "format"},
	{"workers/task-definition.json", first + "memory", 5000, "sum"},
	{"workers/task-definition.json", first + "memory", 5, "memory"},
	{"workers/task-definition.json", first + "memoryReservation", 512, "reservation"},
	{"workers/task-definition.json", first + "privileged", true, "fargate-privileged"},
	{"workers/task-definition.json", first + "linuxParameters/capabilities/add", list{"NET_ADMIN"}, "fargate-capability"},
	{"workers/task-definition.json", first + "environment/0/name", "A=B", "env-name"},
	{"workers/task-definition.json", first + "environment/0/name", "NODE_ENV", "env-twice"},
	{"workers/task-definition.json", first + "environment/0/value", "a\x00b", "env-value"},
	{"workers/task-definition.json", first + "environment/0/value", strings.Repeat("x", 66000), "size"},
	{"workers/task-definition.json", first + "secrets", list{object{"name": "NODE_ENV", "valueFrom": "/a/b"}}, "env-twice"},
	{"migrate/task-definition.json", first + "secrets/0/valueFrom", "a b", "parameter-name"},
	{"migrate/task-definition.json", first + "secrets/0/valueFrom", "/aws/b", "parameter-name"},
	{"migrate/task-definition.json", first + "secrets/0/valueFrom", "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme", "secret-arn"},
	{"migrate/task-definition.json", first + "secrets/0/valueFrom", "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-AbCdEf:KEY", "secret-arn"},
	{"workers/task-definition.json", first + "stopTimeout", 121, "stop-range"},
	{"workers/task-definition.json", first + "stopTimeout", 1, "stop-range"},
	{"workers/task-definition.json", first + "restartPolicy/restartAttemptPeriod", 59, "restart-range"},
	{"workers/task-definition.json", health + "command", list{"node", "healthy.js"}, "health-command"},
	{"workers/task-definition.json", health + "interval", 4, "health-range"},
	{"workers/task-definition.json", health + "timeout", 61, "health-range"},
	{"workers/task-definition.json", health + "retries", 11, "health-range"},
	{"workers/task-definition.json", health + "startPeriod", 301, "health-range"},
	{"workers/task-definition.json", second + "dependsOn/0/containerName", "nobody", "depends-on"},
	{"workers/task-definition.json", second + "dependsOn/0/containerName", "third", "depends-circle"},
	{"workers/task-definition.json", second + "dependsOn/0/containerName", "second", "depends-circle"},
	{"workers/task-definition.json", second + "dependsOn/0/condition", "SUCCESS", "depends-end"},
	{"workers/task-definition.json", first + "healthCheck", nil, "depends-health"},
	{"workers/task-definition.json", logs + "awslogs-stream-prefix", nil, "log-required"},
	{"workers/task-definition.json", first + "logConfiguration/logDriver", "json-file", "log-driver"},
	{"workers/task-definition.json", logs + "awslogs-group", "a b", "format"},
	{"workers/task-definition.json", logs + "max-size", "10m", "format"},
	{"workers/task-definition.json", logs + "mode", "sometimes", "format"},
	{"workers/task-definition.json", logs + "mode", "blocking", "log-buffer"},
	{"web-api/task-definition.json", first + "portMappings/0/containerPort", 0, "port"},
	{"web-api/task-definition.json", first + "portMappings/0/hostPort", 80, "host-port"},
	{"web-api/task-definition.json", first + "portMappings/0/name", "Web", "format"},
	{"web-api/task-definition.json", first + "portMappings/0/name", strings.Repeat("w", 65), "format"},
	{"web-api/task-definition.json", first + "portMappings/0/name", "web", "connect-port"},
	{"web-api/task-definition.json", first + "memory", 1000, "connect-memory"},
	{"workers/task-definition.json", first + "portMappings", list{web[0], web[0]}, "port-twice"},
	{"workers/task-definition.json", first + "portMappings", list{web[0], web[0]}, "twice"},
	{"web-api/service.json", "serviceName", "a b", "format"},
	{"web-api/service.json", "launchType", "EC2", "platform"},
	{"web-api/service.json", "schedulingStrategy", "DAEMON", "fargate-daemon"},
	{"web-api/service.json", "desiredCount", -1, "count"},
	{"web-api/service.json", "healthCheckGracePeriodSeconds", -1, "grace"},
	{"web-api/service.json", "networkConfiguration", nil, "network"},
	{"web-api/service.json", awsvpc + "subnets", list{}, "network"},
	{"web-api/service.json", awsvpc + "securityGroups", list{"1", "2", "3", "4", "5", "6"}, "network"},
	{"web-api/service.json", "deploymentConfiguration/strategy", "CANARY", "circuit-breaker"},
	{"web-api/service.json", "deploymentConfiguration/maximumPercent", 100, "deployment-stuck"},
	{"web-api/service.json", "deploymentConfiguration/maximumPercent", 99, "deployment-percent"},
	{"workers/service.json", "availabilityZoneRebalancing", "ENABLED", "rebalancing"},
	{"web-api/service.json", "serviceConnectConfiguration/namespace", "", "length"},
	{"web-api/service.json", "serviceConnectConfiguration/services/0/discoveryName", "a.b", "format"},
	{"web-api/service.json", "serviceConnectConfiguration/services/0/clientAliases", list{}, "client-alias"},
	{"web-api/service.json", "serviceConnectConfiguration/services/0/clientAliases/0/port", 70000, "port"},
	{"migrate/run-task.json", "count", 11, "count"},
	{"report/schedule.json", "Name", strings.Repeat("n", 65), "format"},
	{"report/schedule.json", "ScheduleExpression", "*/20 * * * 1", "format"},
	{"report/schedule.json", "ScheduleExpression", "cron(0 3 1 * MON *)", "schedule-days"},
	{"report/schedule.json", "ScheduleExpressionTimezone", "", "format"},
	{"report/schedule.json", "Target/RoleArn", "schedule", "format"},
	{"report/schedule.json", "Target/EcsParameters/TaskCount", 0, "count"},
	{"report/schedule.json", "Target/RetryPolicy/MaximumEventAgeInSeconds", 59, "retries"},
}

func TestHandbookFindsBadExamples(t *testing.T) {
	good := exported(t, cases+"/kinds/ecosystem.yaml", ecs.Options{GroupWorkers: true})
	for _, c := range bad {
		spoiled := maps.Clone(good)
		spoiled[c.file] = spoil(t, good[c.file], c.path, c.value)
		found := handbook(spoiled)
		if !slices.ContainsFunc(found, func(p problem) bool { return p.rule == c.rule && p.file == c.file && p.where != "" }) {
			t.Errorf("%s with %s = %.60v: %s is not found, but %v", c.file, c.path, c.value, c.rule, found)
		}
	}
}

// Without Fargate other rules hold.
func TestHandbookOfOnesOwnMachines(t *testing.T) {
	good := exported(t, sample, ecs.Options{EC2: true})
	for _, c := range []struct {
		file, path string
		value      any
		rule       string
	}{
		{"orchestrator/task-definition.json", "cpu", "64", "task-cpu"},
		{"orchestrator/task-definition.json", first + "memory", nil, "memory"},
		{"orchestrator/task-definition.json", first + "stopTimeout", -1, "stop-range"},
		{"orchestrator/service.json", awsvpc + "assignPublicIp", "ENABLED", "network"},
	} {
		spoiled := maps.Clone(good)
		spoiled[c.file] = spoil(t, good[c.file], c.path, c.value)
		found := handbook(spoiled)
		if !slices.ContainsFunc(found, func(p problem) bool { return p.rule == c.rule && p.file == c.file }) {
			t.Errorf("%s with %s = %v: %s is not found, but %v", c.file, c.path, c.value, c.rule, found)
		}
	}
}
