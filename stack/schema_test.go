package stack

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// The schema is read from its own JSON, as an editor does.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("ecosystem.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("ecosystem.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if document, err = jsonschema.UnmarshalJSON(strings.NewReader(string(data))); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

func TestTheSampleFitsTheSchema(t *testing.T) {
	sample, err := os.ReadFile("../ecosystem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, compileSchema(t), string(sample)); err != nil {
		t.Error(err)
	}
}

// Every key that the loader reads is in the schema, and the reverse, with the default that the loader has.
func TestTheSchemaKnowsTheLoadersKeys(t *testing.T) {
	var documented, top []string
	app := defaults()
	for i, d := range appKeyDocs() {
		documented = append(documented, d.name)
		if i >= len(appKeys) || appKeys[i].show == nil {
			continue
		}
		got, want := fmt.Sprint(appKeys[i].show(&app)), fmt.Sprint(d.fallback)
		if none := slices.Contains([]string{"<nil>", "", "[]"}, got); !none && got != want {
			t.Errorf("the default of %s is %s, and the schema says %s", d.name, got, want)
		}
		if d.text == "" {
			t.Errorf("%s is not described", d.name)
		}
	}
	if d := cmp.Diff(appKeyNames(), documented); d != "" {
		t.Error(d)
	}
	for _, d := range topKeyDocs() {
		top = append(top, d.name)
	}
	if d := cmp.Diff(topKeys, top); d != "" {
		t.Error(d)
	}
	checks := healthcheckSchema()["properties"].(object)
	for _, key := range slices.Concat(healthcheckKinds, healthcheckTimers) {
		if checks[key] == nil {
			t.Errorf("the schema does not know healthcheck.%s", key)
		}
	}
	if len(checks) != len(healthcheckKinds)+len(healthcheckTimers) {
		t.Errorf("the schema of healthcheck has other keys: %v", checks)
	}
}

func TestTheSchemaAcceptsAndRefuses(t *testing.T) {
	schema := compileSchema(t)
	for _, good := range []string{
		"{apps: [{name: web, script: a.js, port: 3000}], x-note: anything}",
		"{apps: [{name: web, command: [a, 1, true], port: '${PORT:-3000}', max_memory_restart: 1.5G, kill_timeout: 1600}]}",
		"{apps: [{name: web, command: a b, restart_delay: null, env: {A: 1, B: null, C: true}}]}",
		"{apps: [{name: web, script: a.js, depends_on: {redis: {condition: service_started}, api: }}]}",
		"{apps: [{name: web, script: a.js, healthcheck: {tcp: 3000, interval: 1m30s}}]}",
		"{apps: [{name: web, script: a.js, instances: max, hold_port: false, watch: [src, lib], cron_restart: '0 3 * * *', stop_exit_codes: 0}]}",
		"{compose: [a.yaml, b.yaml], defaults: {healthcheck: {retries: 5}}, profiles: {prod: {apps: {web: {instances: 2}}}, dev: }}",
	} {
		if err := validate(t, schema, good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"{app: []}",
		"{apps: [{script: a.js}]}",
		"{apps: [{name: web, max_restart: 3}]}",
		"{apps: [{name: web, port: 70000}]}",
		"{apps: [{name: web, kill_timeout: 4 seconds}]}",
		"{apps: [{name: web, log_type: xml}]}",
		"{apps: [{name: web, hold_port: always}]}",
		"{apps: [{name: web, max_memory_restart: 1T}]}",
		"{apps: [{name: web, healthcheck: {test: a}}]}",
		"{apps: [{name: web, depends_on: {redis: {condition: ready}}}]}",
		"{defaults: {name: web}}",
		"{profiles: {staging: {}}}",
		"{build: {if_missing: true}}",
	} {
		if validate(t, schema, bad) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
