package api

import (
	"context"
	"encoding/json"
	"time"

	"devstack/view"
)

// The requests of this file are about files and this machine, not about what runs: `devstackd once`, which a command starts
// for them and which ends with the command's connection, answers them, as it answers State, Logs and Down where no daemon
// runs. Which stack they are about it was told when it started. Paths in them are absolute.

// Endpoint is the path, below the version, of a request that is answered with events and a Result whose Answer is Answer.
type Endpoint[Request, Answer any] string

// What `devstackd once` answers, besides State, Logs and Down.
const (
	EndpointSchema    Endpoint[SchemaRequest, Text]         = "/schema"
	EndpointConfig    Endpoint[ConfigRequest, Text]         = "/config"
	EndpointPreflight Endpoint[PreflightRequest, Preflight] = "/preflight"
	EndpointInit      Endpoint[InitRequest, Draft]          = "/init"
	EndpointImport    Endpoint[ImportRequest, Draft]        = "/import"
	EndpointExport    Endpoint[ExportRequest, Export]       = "/export"
	EndpointRehearse  Endpoint[RehearseRequest, Rehearsal]  = "/rehearse"
	EndpointStartup   Endpoint[StartupRequest, Text]        = "/startup"
	EndpointUnstartup Endpoint[UnstartupRequest, Text]      = "/unstartup"
	EndpointBootstrap Endpoint[BootstrapRequest, Text]      = "/bootstrap"
)

// Ask sends a request. each gets every event but the result; nil: nobody wants them. The answer is nil if nothing was found;
// the Result says why.
func Ask[Request, Answer any](
	ctx context.Context, c *Client, to Endpoint[Request, Answer], r Request, each func(view.Event),
) (*Answer, *Result, error) {
	result, err := c.act(ctx, string(to), r, func(e Event) {
		if e.Kind != view.KindResult && each != nil {
			each(e.Event)
		}
	})
	if err != nil || len(result.Answer) == 0 || string(result.Answer) == "null" {
		return nil, result, err
	}
	answer := new(Answer)
	return answer, result, json.Unmarshal(result.Answer, answer)
}

// Text is a document for standard output.
type Text struct {
	Text string `json:"text"`
}

// SchemaRequest is POST /v1/schema: the JSON Schema of ecosystem.yaml.
type SchemaRequest struct{}

// ConfigRequest is POST /v1/config: the resolved configuration with the origin of every value, secrets masked.
type ConfigRequest struct {
	JSON bool `json:"json"` // else YAML
}

// PreflightRequest is POST /v1/preflight: every check of up. The result has the exit code that up would end with.
type PreflightRequest struct{}

// Preflight is the answer: a row for every check.
type Preflight []Check

// InitRequest is POST /v1/init: a draft of ecosystem.yaml for a directory, which must not have one.
type InitRequest struct {
	Dir    string `json:"dir"`
	DryRun bool   `json:"dry_run"` // write nothing
}

// ImportRequest is POST /v1/import: a draft of ecosystem.yaml from PM2's file. JavaScript is evaluated: the user has allowed it.
type ImportRequest struct {
	File string `json:"file"`
	Out  string `json:"out"` // the file to write, which must not be there; empty: write nothing
}

// Draft is the answer to both.
type Draft struct {
	Found []string `json:"found"` // what it is made of
	Lost  []string `json:"lost"`  // what it does not have
	Text  string   `json:"text"`
	Wrote string   `json:"wrote"` // the file; empty: none
	Loads bool     `json:"loads"` // devstack up can read it; else the result says what is to be corrected
}

// ExportRequest is POST /v1/export: production definitions are written, or compared with those on disk.
type ExportRequest struct {
	Target string `json:"target"` // compose, ecs, kubernetes, image
	Dir    string `json:"dir"`    // empty: deploy/TARGET beside ecosystem.yaml
	Check  bool   `json:"check"`  // write nothing; the result's exit code is that of the worst state
	Strict bool   `json:"strict"` // write nothing if something gets lost
	Adopt  bool   `json:"adopt"`  // keep edits as overlays, then write
	All    bool   `json:"all"`    // Summary has every key, not only what is lost

	EC2          bool              `json:"ec2"`
	GroupWorkers bool              `json:"group_workers"`
	Containers   []string          `json:"containers"` // backing services that run as containers, too
	Set          map[string]string `json:"set"`        // values of ${NAME} in the files
	Images       map[string]string `json:"images"`     // app -> reference
	Publish      map[string]string `json:"publish"`    // compose: app -> [HOST:]PORT
	Autoscale    map[string]int    `json:"autoscale"`  // kubernetes: app -> most replicas
}

// Export is the answer, and `devstack export --json`.
type Export struct {
	Target  string          `json:"target"`
	Dir     string          `json:"dir"`
	State   string          `json:"state"`   // the worst of Files: ok, stale, edited, conflict
	Changed []string        `json:"changed"` // paths below Dir that were written or removed
	Files   []ExportedFile  `json:"files"`
	Report  json.RawMessage `json:"report"`            // what became of every key
	Summary string          `json:"summary,omitempty"` // Report in lines
}

// ExportedFile is how one file on disk stands.
type ExportedFile struct {
	Path   string `json:"path"` // below Dir
	State  string `json:"state"`
	Action string `json:"action"`
	Reason string `json:"reason"` // why it is not ok
	Diff   string `json:"diff"`   // unified
	Fix    string `json:"fix"`    // the next command
}

// RehearseRequest is POST /v1/rehearse: production definitions run on real engines.
type RehearseRequest struct {
	Targets  []string          `json:"targets"` // compose, ecs, kubernetes
	Base     string            `json:"base"`    // image in place of both base images; empty: those of the Dockerfile
	Trial    string            `json:"trial"`   // JavaScript that makes the stack do its work; empty: none
	Context  string            `json:"context"`
	Registry string            `json:"registry"`
	Keep     bool              `json:"keep"`
	Set      map[string]string `json:"set"`
	Images   map[string]string `json:"images"`
	Secrets  []string          `json:"secrets"` // names of real ones, whose values the environment has
}

// Rehearsal is the answer.
type Rehearsal struct {
	Report   json.RawMessage `json:"report"`
	Text     string          `json:"text"`     // Report in lines
	Markdown string          `json:"markdown"` // Report as a document
}

// StartupRequest is POST /v1/startup: systemd starts the stack at boot.
type StartupRequest struct {
	User   string `json:"user"`    // empty: as before, who called sudo, or the project's owner
	Infra  string `json:"infra"`   // auto, docker, native
	DryRun bool   `json:"dry_run"` // the answer is the units' text
}

// UnstartupRequest is POST /v1/unstartup: systemd no longer does.
type UnstartupRequest struct{}

// BootstrapRequest is POST /v1/bootstrap: this machine becomes the stack's pilot machine.
type BootstrapRequest struct {
	User    string        `json:"user"`
	Infra   string        `json:"infra"`
	Timeout time.Duration `json:"timeout_ns"` // for the start
	Check   bool          `json:"check"`      // change nothing
	DryRun  bool          `json:"dry_run"`    // change nothing, and show the commands
	NoStart bool          `json:"no_start"`
	JSON    bool          `json:"json"`

	CloudInit   bool   `json:"cloud_init"` // the answer is a cloud-config, of which the rest is
	Source      string `json:"source"`
	Executables string `json:"executables"`
	Dir         string `json:"dir"`
}
