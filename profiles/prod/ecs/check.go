package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devstack/profiles/prod"
)

// Problem is something that ECS refuses, or takes and does not run.
type Problem struct {
	File    string // path of the document
	Where   string // the field, as in containerDefinitions[0].healthCheck.interval
	Rule    string // fixed: health-range
	Message string
	Fix     string // may be empty
}

func (p Problem) String() string {
	return p.File + ": " + p.Where + ": " + p.Message + " (" + p.Rule + ")"
}

// Check finds in documents what AWS's own schemas do not say: the ranges, formats and combinations of its handbook.
// Other files than the documents of ECS are passed over. It is pure, and nil when there is nothing to find.
func Check(files []prod.File) []Problem {
	var out []Problem
	connected := map[string]ServiceConnect{}
	for _, f := range files {
		if path.Base(f.Path) == ServiceFile {
			var s Service
			if json.Unmarshal(f.Data, &s) == nil && s.ServiceConnectConfiguration != nil {
				connected[s.TaskDefinition] = *s.ServiceConnectConfiguration
			}
		}
	}
	for _, f := range files {
		c := &checker{file: f.Path}
		switch path.Base(f.Path) {
		case TaskDefinitionFile:
			if d := decode[TaskDefinition](c, f.Data); d != nil {
				c.size64(f.Data)
				c.taskDefinition(*d)
				c.connected(*d, connected[d.Family])
			}
		case ServiceFile:
			if s := decode[Service](c, f.Data); s != nil {
				c.service(*s)
			}
		case RunTaskFile:
			if t := decode[RunTask](c, f.Data); t != nil {
				c.runTask(*t)
			}
		case ScheduleFile:
			if s := decode[Schedule](c, f.Data); s != nil {
				c.schedule(*s)
			}
		}
		out = append(out, c.found...)
	}
	return out
}

// checker collects the problems of one document.
type checker struct {
	file  string
	found []Problem
}

// decode is nil, and a problem, for a document that is not of this kind or has a field that an export never writes.
func decode[T any](c *checker, data []byte) *T {
	var v T
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		c.add("$", "json", err.Error(), "export again")
		return nil
	}
	return &v
}

func (c *checker) add(where, rule, message, fix string) {
	c.found = append(c.found, Problem{File: c.file, Where: where, Rule: rule, Message: message, Fix: fix})
}

// length is a text of so many characters at most, and not empty.
func (c *checker) length(where, value string, most int) {
	if value == "" || len(value) > most {
		c.add(where, "length", fmt.Sprintf("%d characters, and ECS takes 1 to %d", len(value), most), "a shorter name")
	}
}

// match is a text of a form.
func (c *checker) match(where, value, form string) {
	if !is(value, form) {
		c.add(where, "format", strconv.Quote(value)+" is not of the form "+form, "another name")
	}
}

// is compiles the form for each question: compiled at package level, the forms would cost every start of the daemon more
// than an export asks of them.
func is(value, form string) bool { return regexp.MustCompile(form).MatchString(value) }

// between is a number within limits; 0 is ECS's default.
func (c *checker) between(where, rule string, value int, l limits) {
	if value != 0 && !l.allow(value) {
		c.add(where, rule, fmt.Sprintf("%d, and ECS takes %s", value, l), "a value between them")
	}
}

// oneOf is a word of a list.
func (c *checker) oneOf(where, value string, words ...string) {
	if !slices.Contains(words, value) {
		c.add(where, "word", strconv.Quote(value)+" is none of "+strings.Join(words, ", "), "")
	}
}

// size64 is the limit of a whole task definition.
func (c *checker) size64(data []byte) {
	var small bytes.Buffer
	if err := json.Compact(&small, data); err == nil && small.Len() > 64<<10 {
		c.add("$", "size", fmt.Sprintf("%d bytes, and ECS takes 65536", small.Len()), "put large values into an object of S3, or into the image")
	}
}

func at(list string, i int, rest string) string {
	where := list + "[" + strconv.Itoa(i) + "]"
	if rest != "" {
		where += "." + rest
	}
	return where
}
