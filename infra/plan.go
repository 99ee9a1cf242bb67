package infra

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/view"
)

// OpKind is one kind of step; each is one engine call, or one wait.
type OpKind string

// The steps.
const (
	OpPull            OpKind = "PullImage"
	OpCreateNetwork   OpKind = "CreateNetwork"
	OpRemoveNetwork   OpKind = "RemoveNetwork"
	OpDisconnect      OpKind = "DisconnectNetwork"
	OpConnect         OpKind = "ConnectNetwork"
	OpCreateVolume    OpKind = "CreateVolume"
	OpCreateContainer OpKind = "CreateContainer"
	OpStart           OpKind = "StartContainer"
	OpStop            OpKind = "StopContainer"
	OpRemove          OpKind = "RemoveContainer"
	OpRename          OpKind = "RenameContainer"
	OpWaitHealthy     OpKind = "WaitHealthy"
	OpWaitCompleted   OpKind = "WaitCompleted"
)

// Op is one step of a Plan.
type Op struct {
	ID    int
	After []int // the steps that must be done before
	Kind  OpKind
	Cause string

	Service   string     // of container steps, and of pulls
	Key       string     // of network and volume steps: the name in the Compose file
	Container *Container // the existing one it is about
	Created   int        // or the step that creates it
	Name      string     // of CreateContainer and RenameContainer
	Network   string     // ID of an existing network
}

// resource is what the step is about, for people.
func (o Op) resource() string {
	switch o.Kind {
	case OpCreateNetwork, OpRemoveNetwork:
		return "network:" + o.Key
	case OpCreateVolume:
		return "volume:" + o.Key
	case OpPull:
		return "image:" + o.Name
	}
	return "service:" + o.Service
}

// step is the step in words; object is what runs a service.
func (o Op) step(object string) view.Step {
	switch o.Kind {
	case OpPull:
		return view.Step{Verb: "pull", Object: "image", Name: o.Name}
	case OpCreateNetwork:
		return view.Step{Verb: "create", Object: "network", Name: o.Key}
	case OpRemoveNetwork:
		return view.Step{Verb: "remove", Object: "network", Name: o.Key}
	case OpCreateVolume:
		return view.Step{Verb: "create", Object: "volume", Name: o.Key}
	case OpConnect:
		return view.Step{Verb: "connect", Object: object, Name: o.Service}
	case OpDisconnect:
		return view.Step{Verb: "disconnect", Object: object, Name: o.Service}
	case OpCreateContainer:
		return view.Step{Verb: "create", Object: object, Name: o.Service}
	case OpStart:
		return view.Step{Verb: "start", Object: object, Name: o.Service}
	case OpStop:
		return view.Step{Verb: "stop", Object: object, Name: o.Service}
	case OpRemove:
		return view.Step{Verb: "remove", Object: object, Name: o.Service}
	case OpRename:
		return view.Step{Verb: "rename", Object: object, Name: o.Service}
	case OpWaitCompleted:
		return view.Step{Verb: "await completion of", Object: "service", Name: o.Service}
	}
	return view.Step{Verb: "await health of", Object: "service", Name: o.Service}
}

// Plan is a graph of steps, in an order in which every step comes after those it needs.
type Plan struct {
	Ops      []Op
	Warnings []string
	Object   string // what runs a service, in words: container (where it is empty), server
}

// Empty says that there is nothing to do.
func (p Plan) Empty() bool { return len(p.Ops) == 0 }

// String has one step per line: "[1,2] -> #3 service:db, create container, no existing container".
func (p Plan) String() string {
	if p.Empty() {
		return "nothing to do: all containers run as the Compose file wants them\n"
	}
	var b strings.Builder
	for _, o := range p.Ops {
		after := make([]string, len(o.After))
		for i, id := range o.After {
			after[i] = fmt.Sprint(id)
		}
		step := o.step(cmp.Or(p.Object, "container"))
		fmt.Fprintf(&b, "[%s] -> #%d %s, %s %s, %s\n", strings.Join(after, ","), o.ID, o.resource(), step.Verb, step.Object, o.Cause)
	}
	return b.String()
}

// add appends a step and returns its ID. Zeros in after mean nothing and are dropped.
func (p *Plan) add(o Op, after ...int) int {
	o.ID = len(p.Ops) + 1
	slices.Sort(after)
	for _, id := range slices.Compact(after) {
		if id != 0 {
			o.After = append(o.After, id)
		}
	}
	p.Ops = append(p.Ops, o)
	return o.ID
}

// pulls are the plan's pulls alone.
func (p Plan) pulls() Plan {
	var out Plan
	for _, o := range p.Ops {
		if o.Kind == OpPull {
			out.Ops = append(out.Ops, Op{ID: len(out.Ops) + 1, Kind: o.Kind, Service: o.Service, Name: o.Name, Cause: o.Cause})
		}
	}
	return out
}

// Reruns are the services that get another run, or end: until that is there, nobody may take them for ready.
func (p Plan) Reruns() []string {
	var names []string
	for _, o := range p.Ops {
		if (o.Kind == OpStart || o.Kind == OpStop || o.Kind == OpRemove) && !slices.Contains(names, o.Service) {
			names = append(names, o.Service)
		}
	}
	return names
}

// starts is what the plan does for one service.
func (p Plan) starts(project Project, name string) Start {
	var out Start
	volumes := map[string]bool{} // that the plan makes
	replaces := false
	for _, o := range p.Ops {
		switch {
		case o.Kind == OpCreateVolume:
			volumes[o.Key] = true
		case o.Service != name:
		case o.Kind == OpStart:
			out.Planned = true
		case o.Kind == OpCreateContainer:
			out.Renewed, replaces = true, o.Container != nil
		}
	}
	if !out.Renewed {
		return out
	}
	named, made, bound := 0, 0, false
	for _, v := range project.Services[name].Volumes {
		switch {
		case v.Type == types.VolumeTypeBind:
			bound = true
		case v.Type == types.VolumeTypeVolume && v.Source != "":
			named++
			if volumes[v.Source] {
				made++
			}
		}
	}
	out.Fresh = named > 0 && made == named || named == 0 && !bound && !replaces
	return out
}
