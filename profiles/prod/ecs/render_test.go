package ecs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devstack/profiles/prod"
	"devstack/profiles/prod/ecs"
	"devstack/stack"
)

var update = flag.Bool("update", false, "write the golden files")

// derived is the model and report of an ecosystem.yaml.
func derived(t *testing.T, file string) (prod.Model, prod.Report) {
	t.Helper()
	st, err := prod.Load(t.Context(), prod.LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	m, r, err := prod.Derive(st, prod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

func rendered(t *testing.T, m prod.Model, o ecs.Options) ([]prod.File, []prod.Entry) {
	t.Helper()
	files, entries, err := ecs.Render(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return files, entries
}

// golden compares a case's files, all of them, with testdata/golden.
func golden(t *testing.T, name string, files []prod.File) {
	t.Helper()
	dir := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			path := filepath.Join(dir, f.Path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, f.Data, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, got := map[string]string{}, map[string]string{}
	for _, f := range files {
		got[f.Path] = string(f.Data)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		want[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", dir, diff)
	}
}

const sample = "../../../ecosystem.yaml"

// kinds is every kind of workload, edge and probe in one stack.
const kinds = "testdata/cases/kinds/ecosystem.yaml"

var filled = map[string]string{
	"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": "eu-central-1", "SUBNET_A": "subnet-0a", "SUBNET_B": "subnet-0b", "SECURITY_GROUP": "sg-0c",
}

func TestGolden(t *testing.T) {
	kindsModel, _ := derived(t, kinds)
	alone, _ := rendered(t, kindsModel, ecs.Options{})
	for name, c := range map[string]struct {
		file string
		o    ecs.Options
		same []prod.File // files that another golden export shows
	}{
		"kinds":         {kinds, ecs.Options{}, nil},
		"kinds-grouped": {kinds, ecs.Options{GroupWorkers: true}, alone},
		"ec2":           {"testdata/cases/ec2/ecosystem.yaml", ecs.Options{EC2: true, Parameters: filled}, alone},
	} {
		t.Run(name, func(t *testing.T) {
			m, r := derived(t, c.file)
			files, entries := rendered(t, m, c.o)
			again, _ := rendered(t, m, c.o)
			if diff := cmp.Diff(files, again); diff != "" {
				t.Errorf("another time it is different:\n%s", diff)
			}
			files = slices.DeleteFunc(files, func(f prod.File) bool {
				return slices.ContainsFunc(c.same, func(s prod.File) bool { return s.Path == f.Path && bytes.Equal(s.Data, f.Data) })
			})
			report := r.With(entries...).For(ecs.Target)
			var own prod.Report
			for _, e := range report.Entries {
				if e.Target == ecs.Target {
					own.Entries = append(own.Entries, e)
				}
			}
			files = append(files, prod.File{Path: "report.txt", Data: []byte(own.Text(true))})
			golden(t, name, files)
		})
	}
}

// one is a model of one service, for tests that change it.
func one() prod.Model {
	return prod.Model{Name: "acme", Source: "ecosystem.yaml", Backing: []prod.Backing{}, Workloads: []prod.Workload{{
		Name: "web", App: "Web", Kind: prod.Service, Image: prod.Image{Repository: "acme/web", Variable: "WEB_IMAGE"},
		Command: []string{"node", "server.js"}, WorkDir: "/app", Runtime: "node", User: 10001,
		Config: []prod.Variable{}, Secrets: []prod.Secret{}, Ports: []prod.Port{}, Edges: []prod.Edge{},
		Stop: prod.Stop{Signal: "SIGTERM", Grace: 10 * time.Second}, Memory: prod.Memory{Limit: 512 << 20, Reservation: 512 << 20},
		CPUMillis: 250, Replicas: 1, Restart: prod.Always,
	}}}
}

func file[T any](t *testing.T, files []prod.File, path string) T {
	t.Helper()
	var v T
	for _, f := range files {
		if f.Path == path {
			if err := json.Unmarshal(f.Data, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no file %s", path)
	return v
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *prod.Model)
		o      ecs.Options
		want   string
	}{
		"a stop that Fargate cuts": {
			func(m *prod.Model) { m.Workloads[0].Stop.Grace = 121 * time.Second },
			ecs.Options{},
			"app Web: kill_timeout: Fargate kills after 120 s at the latest, and the app asks for 2m1s",
		},
		"more memory than there is": {
			func(m *prod.Model) { m.Workloads[0].Memory.Limit = 200 << 30 },
			ecs.Options{},
			"app Web: max_memory_restart: no task of Fargate is as large as 256 CPU units and 204800 MiB",
		},
		"both days in a schedule": {
			func(m *prod.Model) {
				m.Workloads[0].Kind, m.Workloads[0].Schedule.Expression = prod.Cron, "0 3 1 * 1"
			},
			ecs.Options{},
			"app Web: cron_restart: crontab runs it on a day of the month or a day of the week",
		},
		"a value that is not UTF-8": {
			func(m *prod.Model) { m.Workloads[0].Config = []prod.Variable{{Name: "A", Value: "\xff"}} },
			ecs.Options{},
			"app Web: env.A: its value is not UTF-8",
		},
		"more than a task definition holds": {
			func(m *prod.Model) {
				m.Workloads[0].Config = []prod.Variable{{Name: "A", Value: strings.Repeat("x", 66000)}}
			},
			ecs.Options{},
			"app Web: env: the task definition has 67",
		},
		"a database as a container": {
			func(m *prod.Model) { m.Backing = []prod.Backing{{Name: "postgres", Container: &prod.Container{}}} },
			ecs.Options{},
			"service postgres: ECS has no volume",
		},
		"an app with the group's name": {
			func(m *prod.Model) { m.Workloads[0].Name, m.Workloads[0].Kind = "workers", prod.Job },
			ecs.Options{GroupWorkers: true},
			"app Web: name: the group of workers has this name",
		},
		"names that are too long for a role": {
			func(m *prod.Model) { m.Name, m.Workloads[0].Name = strings.Repeat("a", 40), strings.Repeat("b", 40) },
			ecs.Options{},
			"app Web: name: the role " + strings.Repeat("a", 40) + "-" + strings.Repeat("b", 40) + " has 81 characters",
		},
		"a stack whose name is too long for a role": {
			func(m *prod.Model) { m.Name = strings.Repeat("a", 60) },
			ecs.Options{},
			"-execution has 70 characters, and AWS takes at most 64",
		},
		"a variable that no parameter is called": {
			func(m *prod.Model) { m.Workloads[0].Secrets = []prod.Secret{{Name: "A B"}} },
			ecs.Options{},
			`app Web: env.A B: Parameter Store takes no parameter called "/acme/A B"`,
		},
		"a name that is Amazon's": {
			func(m *prod.Model) { m.Name, m.Workloads[0].Secrets = "AWS-tools", []prod.Secret{{Name: "TOKEN"}} },
			ecs.Options{},
			"app Web: env.TOKEN: Amazon keeps names of parameters that begin with aws or ssm",
		},
		"an image with a blank": {
			func(m *prod.Model) { m.Workloads[0].Image.Reference = "acme/web 1" },
			ecs.Options{},
			`app Web: image: "acme/web 1" does not name an image`,
		},
		"an image with a long name": {
			func(m *prod.Model) { m.Workloads[0].Image.Reference = strings.Repeat("i", 256) },
			ecs.Options{},
			"does not name an image",
		},
		"less memory than a container gets": {
			func(m *prod.Model) { m.Workloads[0].Memory.Limit = 5 << 20 },
			ecs.Options{},
			"app Web: max_memory_restart: ECS gives a container at least 6 MiB",
		},
		"an account that is none": {
			func(m *prod.Model) {},
			ecs.Options{Parameters: map[string]string{"AWS_ACCOUNT_ID": "12345678901"}},
			`AWS_ACCOUNT_ID is "12345678901", and an account's number has twelve digits`,
		},
		"a schedule by the machine's clock": {
			func(m *prod.Model) {
				m.Workloads[0].Kind, m.Workloads[0].Schedule = prod.Cron, prod.Schedule{Expression: "0 3 * * *", Zone: "Local"}
			},
			ecs.Options{},
			"app Web: cron_restart: AWS does not know this machine's time zone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := one()
			c.change(&m)
			files, _, err := ecs.Render(m, c.o)
			var found stack.Errors
			if !errors.As(err, &found) || !strings.Contains(err.Error(), c.want) || files != nil {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAnUnknownParameter(t *testing.T) {
	_, _, err := ecs.Render(one(), ecs.Options{Parameters: map[string]string{"REGION": "x"}})
	var unknown *stack.UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "REGION" {
		t.Errorf("got %v", err)
	}
}

func TestALongStopOnMachinesOfOnesOwn(t *testing.T) {
	m := one()
	m.Workloads[0].Stop.Grace = 10 * time.Minute
	files, _ := rendered(t, m, ecs.Options{EC2: true})
	if got := file[ecs.TaskDefinition](t, files, "web/task-definition.json").ContainerDefinitions[0].StopTimeout; got != 600 {
		t.Errorf("stopTimeout %d", got)
	}
}
