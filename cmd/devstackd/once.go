package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"go.yaml.in/yaml/v4"

	"devstack/daemon"
	"devstack/daemon/api"
	"devstack/stack"
	"devstack/view"
)

// connectionFD is the descriptor on which devstack hands over its connection.
const connectionFD = 3

// once answers what one command asks about the stack of these files.
type once struct{ files api.Files }

// runOnce answers until the command closes the connection.
func runOnce(ctx context.Context, files api.Files) error {
	file := os.NewFile(connectionFD, "connection")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return &api.Error{Exit: api.ExitUsage, Message: "cannot run devstackd once by hand: devstack starts it", Hint: "use devstack"}
	}
	// The terminal sends its signals to both processes: the request is cancelled, and its answer says what that means.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	o, answers := &once{files}, daemon.NewOnce(files, os.Environ(), os.Getenv("DEVSTACK_HOME"))
	daemon.Handle(answers, api.EndpointSchema, o.schema)
	daemon.Handle(answers, api.EndpointConfig, o.config)
	daemon.Handle(answers, api.EndpointInit, o.init)
	daemon.Handle(answers, api.EndpointImport, o.importPM2)
	daemon.Handle(answers, api.EndpointExport, o.export)
	daemon.Handle(answers, api.EndpointRehearse, o.rehearse)
	daemon.Handle(answers, api.EndpointStartup, onMachine(o, (*machine).startup))
	daemon.Handle(answers, api.EndpointUnstartup, onMachine(o, (*machine).unstartup))
	daemon.Handle(answers, api.EndpointBootstrap, onMachine(o, (*machine).bootstrap))
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("cannot use the connection: it is not a unix socket")
	}
	return answers.Serve(ctx, unix)
}

// lines is a writer that tells each whole line as an event.
type lines struct {
	tell func(view.Event)
	rest bytes.Buffer // what has no end yet
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest.Write(p)
	for {
		line, rest, whole := bytes.Cut(l.rest.Bytes(), []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.tell(view.Event{Kind: view.KindLine, Message: string(line)})
		l.rest.Next(l.rest.Len() - len(rest))
	}
}

// schema is the JSON Schema of ecosystem.yaml.
func (o *once) schema(context.Context, api.SchemaRequest, func(view.Event)) (*api.Text, error) {
	return indented(stack.Schema())
}

// config is the resolved configuration with the origin of every value, secrets masked. The YAML has the JSON's names and
// order.
func (o *once) config(ctx context.Context, r api.ConfigRequest, _ func(view.Event)) (*api.Text, error) {
	st, err := stack.Load(ctx, stack.Options{File: o.files.File, Project: o.files.Project, Profile: o.files.Profile, Environment: os.Environ()})
	if err != nil {
		return nil, err
	}
	resolved, err := st.Config(false)
	if err != nil {
		return nil, err
	}
	text, err := indented(resolved)
	if err != nil || r.JSON {
		return text, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text.Text), &document); err != nil {
		return nil, err
	}
	blockStyle(&document)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err = errors.Join(encoder.Encode(&document), encoder.Close())
	return &api.Text{Text: out.String()}, err
}

// blockStyle writes a node that was read from JSON as people write YAML.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// indented is v as JSON for people.
func indented(v any) (*api.Text, error) {
	var out bytes.Buffer
	err := encodeJSON(&out, v)
	return &api.Text{Text: out.String()}, err
}

func encodeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// usage is what the user cannot mean.
func usage(format string, args ...any) error {
	return &api.Error{Exit: api.ExitUsage, Message: fmt.Sprintf(format, args...)}
}
