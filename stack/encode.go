package stack

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// encoded is a Stack as JSON. The Compose project travels as the YAML that it writes of itself, with the fields that
// the YAML leaves out beside it.
type encoded struct {
	Stack   *plainStack
	Origins map[string]map[string]string
	Compose *encodedProject
}

// plainStack has Stack's fields without its methods.
type plainStack Stack

type encodedProject struct {
	Name         string
	YAML         []byte
	WorkingDir   string
	ComposeFiles []string
	Environment  types.Mapping
	Profiles     []string
	Disabled     []string
}

// Encode is the whole Stack, secrets included, for Decode of the same version of devstack. It belongs into memory,
// never on a disk.
func (s *Stack) Encode() ([]byte, error) {
	flat := plainStack(*s)
	flat.Compose = nil
	e := encoded{Stack: &flat, Origins: s.origins}
	if p := s.Compose; p != nil {
		data, err := p.MarshalYAML()
		if err != nil {
			return nil, fmt.Errorf("cannot encode the Compose project: %w", err)
		}
		e.Compose = &encodedProject{p.Name, data, p.WorkingDir, p.ComposeFiles, p.Environment, p.Profiles, p.DisabledServiceNames()}
	}
	return json.Marshal(e)
}

// Decode is the Stack that Encode was given. It reads no file and looks at no environment.
func Decode(data []byte) (*Stack, error) {
	var e encoded
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("cannot decode the stack: %w", err)
	}
	if e.Stack == nil {
		return nil, fmt.Errorf("cannot decode the stack: it is empty")
	}
	s := Stack(*e.Stack)
	s.origins = e.Origins
	if e.Compose == nil {
		return &s, nil
	}
	var err error
	warningsOf(func() { s.Compose, err = e.Compose.load() })
	if err != nil {
		return nil, fmt.Errorf("cannot decode the Compose project: %w", err)
	}
	return &s, nil
}

// load reads the YAML as it is: everything in it is resolved already.
func (e *encodedProject) load() (*types.Project, error) {
	details := types.ConfigDetails{
		WorkingDir:  e.WorkingDir,
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: e.YAML}},
		Environment: e.Environment,
	}
	p, err := loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
		o.SetProjectName(e.Name, true)
		o.SkipInterpolation, o.SkipValidation, o.SkipNormalization, o.SkipConsistencyCheck = true, true, true, true
		o.SkipInclude, o.SkipExtends, o.SkipResolveEnvironment, o.SkipResolveLabels = true, true, true, true
		o.ResolvePaths = false
		o.Profiles = []string{"*"}
	})
	if err != nil {
		return nil, err
	}
	p.WorkingDir, p.ComposeFiles, p.Environment, p.Profiles = e.WorkingDir, e.ComposeFiles, e.Environment, e.Profiles
	p.DisabledServices = types.Services{}
	for _, name := range e.Disabled {
		p.DisabledServices[name] = types.ServiceConfig{Name: name}
	}
	return p, nil
}
