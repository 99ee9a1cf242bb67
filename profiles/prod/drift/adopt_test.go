package drift

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"devstack/profiles/prod"
	"devstack/stack"
)

const composeFile = prod.Header + `services:
  web:
    image: "${WEB_IMAGE:?set it}"
    user: "10001:10001"
    read_only: true
    environment:
      ANSWER: "yes"
      LEVEL: info
    cap_drop: [ALL]
    command:
      - node
      - a.js
`

const taskFile = `{
  "family": "x-web",
  "cpu": "256",
  "containerDefinitions": [
    {
      "name": "web",
      "image": "i",
      "stopTimeout": 30,
      "environment": [
        {
          "name": "A",
          "value": "<&>\u2028\u0001"
        },
        {
          "name": "B",
          "value": "2"
        }
      ]
    }
  ],
  "tags": []
}
`

func TestAdopt(t *testing.T) {
	for _, c := range []struct {
		name, file, base string
		edit             []string // old, new pairs
		patch            string   // after the comment
	}{
		{"a changed value", "compose.yaml", composeFile, []string{"LEVEL: info", "LEVEL: debug"}, "services:\n  web:\n    environment:\n      LEVEL: debug\n"},
		{"a word of YAML 1.1", "compose.yaml", composeFile, []string{"LEVEL: info", `LEVEL: "off"`}, "services:\n  web:\n    environment:\n      LEVEL: \"off\"\n"},
		{"a removed key", "compose.yaml", composeFile, []string{"    read_only: true\n", ""}, "services:\n  web:\n    read_only: null\n"},
		{"a new key", "compose.yaml", composeFile, []string{"    read_only: true\n", "    read_only: true\n    cpus: 0.5\n"}, "services:\n  web:\n    cpus: 0.5\n"},
		{"a new service", "compose.yaml", composeFile, []string{"services:\n", "services:\n  more:\n    image: m\n"}, "services:\n  more:\n    image: m\n"},
		{"a list", "compose.yaml", composeFile, []string{"- a.js", "- b.js"}, "services:\n  web:\n    command:\n      - node\n      - b.js\n"},
		{"a value of JSON", "task.json", taskFile, []string{`"256"`, `"512"`}, "cpu: \"512\"\n"},
		{
			"a container by its name", "task.json", taskFile,
			[]string{`"stopTimeout": 30`, `"stopTimeout": 60`},
			"containerDefinitions:\n  - name: web\n    $patch: merge\n    stopTimeout: 60\n",
		},
		{
			"a variable in a container", "task.json", taskFile,
			[]string{`"value": "2"`, `"value": "\ud83d\ude80"`},
			"containerDefinitions:\n  - name: web\n    $patch: merge\n    environment:\n      - name: B\n        $patch: merge\n        value: \"\\U0001F680\"\n",
		},
		{
			"a removed container variable", "task.json", taskFile,
			[]string{`"name": "B"`, `"name": "C"`},
			"containerDefinitions:\n  - name: web\n    $patch: merge\n    environment:\n      - name: B\n        $patch: delete\n      - name: C\n        $patch: add\n        value: \"2\"\n",
		},
		{"a list that was empty", "task.json", taskFile, []string{`"tags": []`, `"tags": [{"key": "a", "value": "b"}]`}, "tags:\n  - key: a\n    value: b\n"},
	} {
		edited := strings.NewReplacer(c.edit...).Replace(c.base)
		rendered := []prod.File{{Path: c.file, Data: []byte(c.base)}}
		lock := NewLock("t", rendered)
		o, err := Adopt(c.file, lock, []byte(c.base), []byte(edited), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		_, patch, _ := strings.Cut(string(o.Data), "\n")
		if diff := cmp.Diff(c.patch, patch); diff != "" || o.Path != "adopted/"+c.file+".1.yaml" {
			t.Errorf("%s: %s -want +got:\n%s", c.name, o.Path, diff)
		}
		merged, err := Merge(rendered, []Overlay{o})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !means(t, c.file, string(merged[0].Data), edited) {
			t.Errorf("%s: the export says\n%s", c.name, merged[0].Data)
		}
	}
}

// means asks the formats' own parsers whether two files say the same.
func means(t *testing.T, name, a, b string) bool {
	t.Helper()
	var x, y any
	unmarshal := yaml.Unmarshal
	if strings.HasSuffix(name, ".json") {
		unmarshal = json.Unmarshal
	}
	if err := errors.Join(unmarshal([]byte(a), &x), unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(x, y)
}

// What an overlay does not touch stays as it was rendered, byte for byte.
func TestMergeKeepsTheRest(t *testing.T) {
	rendered := []prod.File{{Path: "compose.yaml", Data: []byte(composeFile)}, {Path: "task.json", Data: []byte(taskFile)}, {Path: "Dockerfile", Data: []byte("FROM x\n")}}
	merged, err := Merge(rendered, []Overlay{
		{Path: "adopted/compose.yaml.1.yaml", Data: []byte("services: {web: {environment: {LEVEL: debug}}}\n")},
		{Path: "adopted/compose.yaml.10.yaml", Data: []byte("services: {web: {environment: {LEVEL: warn}}}\n")},
		{Path: "adopted/compose.yaml.9.yaml", Data: []byte("services: {web: {environment: {LEVEL: error}}}\n")},
		{Path: "adopted/task.json.1.yaml", Data: []byte("cpu: \"512\"\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []prod.File{
		{Path: "compose.yaml", Data: []byte(strings.Replace(strings.Replace(composeFile, "LEVEL: info", "LEVEL: warn", 1), "cap_drop: [ALL]", "cap_drop: [ALL]", 1))},
		{Path: "task.json", Data: []byte(strings.Replace(taskFile, `"256"`, `"512"`, 1))},
		rendered[2],
	}
	for i := range want {
		if diff := cmp.Diff(string(want[i].Data), string(merged[i].Data)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", want[i].Path, diff)
		}
	}
}

func TestWhatCannotBeAdopted(t *testing.T) {
	for _, c := range []struct{ name, file, base, edited, want string }{
		{"a Dockerfile", "Dockerfile", "FROM a\n", "FROM b\n", "only JSON and YAML"},
		{"a comment", "c.yaml", "a: 1\n", "a: 2 # because\n", `the comment "# because"`},
		{"form alone", "c.yaml", "a: [1]\n", "a:\n- 1\n", "the same as before"},
		{"null", "c.yaml", "a: 1\n", "a: 1\nb: null\n", "sets null"},
		{"no YAML", "c.yaml", "a: 1\n", "a: [\n", "cannot read it as YAML"},
		{"no JSON", "c.json", "{}\n", "{'a': 1}\n", "cannot read it as JSON"},
		{"two documents", "c.yaml", "a: 1\n", "a: 1\n---\nb: 2\n", "several documents"},
		{"an anchor", "c.yaml", "a: 1\n", "a: &x 1\nb: *x\n", "an anchor"},
		{"a key twice", "c.json", "{}\n", `{"a": 1, "a": 2}`, `the key "a" twice`},
		{"no mapping", "c.json", "{}\n", "[1]", "not a mapping any more"},
		{"an empty file", "c.yaml", "a: 1\n", "", "cannot read it as YAML"},
	} {
		lock := NewLock("t", []prod.File{{Path: c.file, Data: []byte(c.base)}})
		_, err := Adopt(c.file, lock, []byte(c.base), []byte(c.edited), nil)
		var problem *stack.Error
		if !errors.As(err, &problem) || !strings.Contains(problem.Message, c.want) || problem.Hint == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := Adopt("c.yaml", NewLock("t", []prod.File{{Path: "c.yaml", Data: []byte("a: 1\n")}}), []byte("a: 0\n"), []byte("a: 2\n"), nil); err == nil {
		t.Error("adopted over a base that nobody wrote")
	}
}

func TestOverlaysThatDoNotFit(t *testing.T) {
	rendered := []prod.File{{Path: "t.json", Data: []byte(taskFile)}, {Path: "mine.yaml", Data: []byte("a: 1\n"), Once: true}}
	for _, c := range []struct{ path, data, want string }{
		{"adopted/gone.json.1.yaml", "a: 1", "any more"},
		{"adopted/mine.yaml.1.yaml", "a: 1", "any more"},
		{"adopted/readme.txt", "", "it is not an overlay"},
		{"adopted/t.json.0.yaml", "a: 1", "it is not an overlay"},
		{"adopted/t.json.1.yaml", "- a", "it is not a mapping"},
		{"adopted/t.json.1.yaml", "a: [", "cannot read it as YAML"},
		{"adopted/t.json.1.yaml", "containerDefinitions: [{name: api, $patch: merge, cpu: 1}]", `it changes "api", which the export no longer has`},
		{"adopted/t.json.1.yaml", "containerDefinitions: [{name: web, $patch: replace}]", "$patch is add, merge or delete"},
		{"adopted/t.json.1.yaml", "containerDefinitions: [{name: web, $patch: merge}, {name: api}]", "every element needs a name and $patch"},
	} {
		_, err := Merge(rendered, []Overlay{{c.path, []byte(c.data)}})
		var problems stack.Errors
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Message, c.want) || problems[0].File != c.path {
			t.Errorf("%s with %s: %v", c.path, c.data, err)
		}
	}
}
