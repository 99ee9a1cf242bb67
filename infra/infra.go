// Package infra keeps containers as the Compose file wants them: it observes once, plans purely, executes in
// dependency order, opens a gate per service when the service really answers, repairs what dies by itself, and leaves
// alone what somebody stopped. It promises to touch only containers, networks and volumes that carry the project's
// Compose labels, and never to remove a volume unless asked.
package infra

// ErrorKind tells the daemon which exit code an Error deserves.
type ErrorKind string

// The kinds of errors.
const (
	NoEngine    ErrorKind = "no engine"   // none answers, or it is remote
	Unsupported ErrorKind = "unsupported" // the Compose file asks for what devstack cannot do
	PortTaken   ErrorKind = "port taken"
	NoImage     ErrorKind = "no image"
	Conflict    ErrorKind = "conflict" // a name belongs to somebody else
	Failed      ErrorKind = "failed"   // the engine refused or the service cannot get healthy
)

// Error is a refusal or a failure with the next step.
type Error struct {
	Kind    ErrorKind
	Service string // may be empty
	Message string
	Hint    string
}

func (e *Error) Error() string { return e.Message }
