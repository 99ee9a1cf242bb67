package ecs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devstack/profiles/prod"
	"devstack/profiles/prod/ecs"
)

const (
	sample = "../../ecosystem.yaml"
	cases  = "../../profiles/prod/ecs/testdata/cases"
	golden = "../../profiles/prod/ecs/testdata/golden"
)

// exported are the documents of a stack's export, by path.
func exported(t *testing.T, file string, o ecs.Options) map[string][]byte {
	t.Helper()
	st, err := prod.Load(t.Context(), prod.LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := prod.Derive(st, prod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := ecs.Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		if isDocument(filepath.Base(f.Path)) {
			out[f.Path] = f.Data
		}
	}
	return out
}

// Every document is what the SDK would send, and keeps the handbook's rules.
func TestEveryDocument(t *testing.T) {
	count := map[string]int{}
	for _, file := range []string{sample, cases + "/kinds/ecosystem.yaml", cases + "/ec2/ecosystem.yaml"} {
		for _, o := range []ecs.Options{{}, {GroupWorkers: true}, {EC2: true}} {
			if strings.HasPrefix(file, cases+"/ec2/") && !o.EC2 {
				continue // Fargate refuses it
			}
			documents := exported(t, file, o)
			for path, data := range documents {
				count[filepath.Base(path)]++
				if err := judge(filepath.Base(path), data); err != nil {
					t.Errorf("%s: %+v: %s: %v", file, o, path, err)
				}
			}
			for _, p := range handbook(documents) {
				t.Errorf("%s: %+v: %+v", file, o, p)
			}
		}
	}
	for _, name := range []string{ecs.TaskDefinitionFile, ecs.ServiceFile, ecs.RunTaskFile, ecs.ScheduleFile} {
		if count[name] == 0 {
			t.Errorf("no %s was looked at: %v", name, count)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(golden, path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The SDK is no rubber stamp: it finds each of these.
func TestBadExamples(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{"kinds/web-api/task-definition.json", `"family"`, `"Family"`, "$.Family: unknown member"},
		{"kinds/web-api/task-definition.json", `"stopTimeout"`, `"stoptimeout"`, "stoptimeout: unknown member"},
		{"kinds/web-api/task-definition.json", `"family"`, `"familie"`, "$.familie: unknown member"},
		{"kinds/web-api/task-definition.json", `"family": "kinds-web-api",`, ``, "missing required field, RegisterTaskDefinitionInput.Family"},
		{"kinds/web-api/task-definition.json", `"cpu": 256`, `"cpu": "256"`, "string is no number"},
		{"kinds/web-api/task-definition.json", `"cpu": "512"`, `"cpu": 512`, "json.Number is no string"},
		{"kinds/web-api/task-definition.json", `"essential": true`, `"essential": "true"`, "string is no boolean"},
		{"kinds/web-api/task-definition.json", `"awsvpc"`, `"AWSVPC"`, `"AWSVPC" is none of`},
		{"kinds/web-api/task-definition.json", `"X86_64"`, `"AMD64"`, `"AMD64" is none of`},
		{"kinds/web-api/task-definition.json", `"awslogs",`, `"cloudwatch",`, `"cloudwatch" is none of`},
		{"kinds/web-api/task-definition.json", `"logDriver": "awslogs",`, ``, "missing required field, RegisterTaskDefinitionInput.ContainerDefinitions[0].LogConfiguration.LogDriver"},
		{"kinds/web-api/task-definition.json", `"valueFrom": "/kinds/ODD"`, `"value": "x"`, "value: unknown member"},
		{"kinds/web-api/service.json", `"serviceName": "web-api",`, ``, "missing required field, CreateServiceInput.ServiceName"},
		{"kinds/web-api/service.json", `"enable": true,`, ``, "the SDK sends otherwise"},
		{"kinds/web-api/service.json", `"ROLLING"`, `"Rolling"`, `"Rolling" is none of`},
		{"kinds/web-api/service.json", `"desiredCount": 3`, `"desiredCount": 3.5`, "3.5"},
		{"kinds/web-api/service.json", `"portName": "web-api-http",`, ``, "PortName"},
		{"kinds/migrate/run-task.json", `"taskDefinition": "kinds-migrate",`, ``, "missing required field, RunTaskInput.TaskDefinition"},
		{"kinds/migrate/run-task.json", `"FARGATE"`, `"Fargate"`, `"Fargate" is none of`},
		{"kinds/report/schedule.json", `"State"`, `"state"`, "the SDK sends otherwise"},
		{"kinds/report/schedule.json", `"OFF"`, `"NO"`, `"NO" is none of`},
		{"kinds/report/schedule.json", `"awsvpcConfiguration"`, `"AwsvpcConfiguration"`, "the SDK sends otherwise"},
		{"kinds/report/schedule.json", `"TaskDefinitionArn"`, `"TaskDefinition"`, `unknown field "TaskDefinition"`},
	} {
		good := read(t, c.file)
		bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(good, bad) {
			t.Errorf("%s has no %s", c.file, c.old)
			continue
		}
		err := judge(filepath.Base(c.file), bad)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s: got %v, want %q", c.file, c.new, err, c.want)
		}
	}
}

// Values reach the wire byte for byte.
func TestHostileValues(t *testing.T) {
	values := []string{
		"", " ", "$HOME ${HOME} $$ $(X) $((1))", "%s %% %h", `"'\`, "a\nb\r\nc\t", "yes", "no", "null", "1e3", "0o7", "~",
		"🦀 \u2028\u2029 \ufeff", "<script>&amp;</script>", "\x01\x1f\x7f", strings.Repeat("é\\\"", 8<<10),
	}
	w := prod.Workload{
		Name: "web", App: "web", Kind: prod.Service, Image: prod.Image{Variable: "WEB_IMAGE"}, Command: append([]string{"node"}, values...),
		WorkDir: "/app", Runtime: "node", User: 10001, Stop: prod.Stop{Signal: "SIGTERM", Grace: 10 * time.Second},
		Memory: prod.Memory{Limit: 512 << 20}, CPUMillis: 250, Replicas: 1, Restart: prod.Always,
	}
	for i, value := range values {
		w.Config = append(w.Config, prod.Variable{Name: "V" + string(rune('A'+i)), Value: value})
	}
	w.Command = w.Command[:len(w.Command)-1] // the long one once: 64 KiB is all that a task definition holds
	files, _, err := ecs.Render(prod.Model{Name: "acme", Source: "ecosystem.yaml", Workloads: []prod.Workload{w}}, ecs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f.Path) != ecs.TaskDefinitionFile {
			continue
		}
		sent, err := capture(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		var d ecs.TaskDefinition
		if err := json.Unmarshal(sent, &d); err != nil {
			t.Fatal(err)
		}
		c := d.ContainerDefinitions[0]
		for i, v := range c.Environment {
			if v.Value != values[i] {
				t.Errorf("%s: %.60q is sent as %.60q", v.Name, values[i], v.Value)
			}
		}
		for i, word := range c.Command {
			if word != values[i] {
				t.Errorf("argument %d: %.60q is sent as %.60q", i, values[i], word)
			}
		}
		if len(c.Environment) != len(values) || len(c.Command) != len(values)-1 {
			t.Errorf("%d values and %d arguments are sent", len(c.Environment), len(c.Command))
		}
		return
	}
	t.Fatal("no task definition")
}
