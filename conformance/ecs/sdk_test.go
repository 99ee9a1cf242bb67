package ecs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/smithy-go"
)

// judge is all that the SDK says of one document: every member that its schema does not have or that has another kind,
// every word that is none of an enum, what the generated validators miss, and what it would send otherwise than the
// document says. Nothing leaves this process.
func judge(document string, data []byte) error {
	switch document {
	case "task-definition.json":
		return judgeAs(data, schemas.RegisterTaskDefinitionRequest, nil, func(o *ecs.RegisterTaskDefinitionInput, c *client) error {
			_, err := c.ecs().RegisterTaskDefinition(context.Background(), o)
			return err
		})
	case "service.json":
		return judgeAs(data, schemas.CreateServiceRequest, []string{"clientToken"}, func(o *ecs.CreateServiceInput, c *client) error {
			_, err := c.ecs().CreateService(context.Background(), o)
			return err
		})
	case "run-task.json":
		return judgeAs(data, schemas.RunTaskRequest, []string{"clientToken"}, func(o *ecs.RunTaskInput, c *client) error {
			_, err := c.ecs().RunTask(context.Background(), o)
			return err
		})
	case "schedule.json":
		// The scheduler's SDK has no schemas yet; its name is in the path, and not in the body.
		return judgeAs(data, nil, []string{"ClientToken"}, func(o *scheduler.CreateScheduleInput, c *client) error {
			_, err := c.scheduler().CreateSchedule(context.Background(), o)
			c.name = aws.ToString(o.Name)
			return err
		})
	}
	return fmt.Errorf("%s is no document of AWS", document)
}

// judgeAs decodes a document into an operation's input and calls the operation. added are members that the SDK adds by
// itself, and an export does not write.
func judgeAs[Input any](data []byte, schema *smithy.Schema, added []string, call func(*Input, *client) error) error {
	tree, err := number(data)
	if err != nil {
		return err
	}
	var problems []error
	if schema != nil {
		walk("$", schema, tree, &problems)
	}
	var input Input
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&input); err != nil {
		return errors.Join(append(problems, err)...)
	}
	enums("$", reflect.ValueOf(input), &problems)
	c := &client{}
	if err := call(&input, c); !errors.Is(err, errCaptured) {
		return errors.Join(append(problems, err)...)
	}
	sent, err := number(c.body)
	if err != nil {
		return err
	}
	body := sent.(map[string]any)
	for _, name := range added {
		delete(body, name)
	}
	if c.name != "" {
		body["Name"] = c.name
	}
	if !reflect.DeepEqual(tree, sent) {
		problems = append(problems, fmt.Errorf("the SDK sends otherwise: %s", c.body))
	}
	return errors.Join(problems...)
}

// number decodes JSON and keeps numbers as they are written.
func number(data []byte) (any, error) {
	var tree any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	return tree, nil
}

// walk compares a document with a schema, member by member: names with their case, and kinds.
func walk(path string, s *smithy.Schema, v any, out *[]error) {
	wrong := func(want string) {
		*out = append(*out, fmt.Errorf("%s: %T is no %s", path, v, want))
	}
	switch s.Type() {
	case smithy.ShapeTypeStructure, smithy.ShapeTypeUnion:
		members, ok := v.(map[string]any)
		if !ok {
			wrong("structure")
		}
		for name, value := range members {
			if member := s.Member(name); member != nil {
				walk(path+"."+name, member, value, out)
			} else {
				*out = append(*out, fmt.Errorf("%s.%s: unknown member", path, name))
			}
		}
	case smithy.ShapeTypeList:
		items, ok := v.([]any)
		if !ok {
			wrong("list")
		}
		for i, item := range items {
			walk(fmt.Sprintf("%s[%d]", path, i), s.ListMember(), item, out)
		}
	case smithy.ShapeTypeMap:
		entries, ok := v.(map[string]any)
		if !ok {
			wrong("map")
		}
		for name, value := range entries {
			walk(path+"."+name, s.MapValue(), value, out)
		}
	case smithy.ShapeTypeString, smithy.ShapeTypeEnum:
		if _, ok := v.(string); !ok {
			wrong("string")
		}
	case smithy.ShapeTypeInteger, smithy.ShapeTypeLong:
		if _, ok := v.(json.Number); !ok {
			wrong("number")
		}
	case smithy.ShapeTypeBoolean:
		if _, ok := v.(bool); !ok {
			wrong("boolean")
		}
	default:
		*out = append(*out, fmt.Errorf("%s: this test does not know shapes of type %v", path, s.Type()))
	}
}

// enums finds words that are none of their enum's: the SDK's types have a method that lists them.
func enums(path string, v reflect.Value, out *[]error) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			enums(path, v.Elem(), out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				enums(path+"."+v.Type().Field(i).Name, v.Field(i), out)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			enums(fmt.Sprintf("%s[%d]", path, i), v.Index(i), out)
		}
	case reflect.String:
		list := v.MethodByName("Values")
		if !list.IsValid() || v.String() == "" {
			return
		}
		words := list.Call(nil)[0]
		known := false
		for i := range words.Len() {
			known = known || words.Index(i).String() == v.String()
		}
		if !known {
			*out = append(*out, fmt.Errorf("%s: %q is none of %v", path, v.String(), words))
		}
	}
}

var errCaptured = errors.New("the request is captured")

// client takes what the SDK would send, and sends nothing.
type client struct {
	body []byte
	name string // of a schedule
}

func (c *client) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.body = body
	return nil, errCaptured
}

func (c *client) ecs() *ecs.Client {
	return ecs.New(ecs.Options{Region: "us-east-1", HTTPClient: c, Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})
}

func (c *client) scheduler() *scheduler.Client {
	return scheduler.New(scheduler.Options{Region: "us-east-1", HTTPClient: c, Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})
}

// isDocument says whether a file is for AWS, and not for people.
func isDocument(name string) bool {
	return strings.HasSuffix(name, ".json") && name != "required.json"
}

// capture is the body of the request that registers a task definition.
func capture(data []byte) ([]byte, error) {
	var input ecs.RegisterTaskDefinitionInput
	if err := json.Unmarshal(data, &input); err != nil {
		return nil, err
	}
	c := &client{}
	if _, err := c.ecs().RegisterTaskDefinition(context.Background(), &input); !errors.Is(err, errCaptured) {
		return nil, err
	}
	return c.body, nil
}
