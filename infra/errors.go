package infra

import "fmt"

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
	raced       ErrorKind = "raced"    // a Conflict that another look may resolve; it does not leave the package
)

// Error is a refusal or a failure with the next step.
type Error struct {
	Kind    ErrorKind
	Service string // may be empty
	Message string
	Hint    string
}

func (e *Error) Error() string { return e.Message }

// Raced is for drivers: an object exists that was not there when the plan was made.
func Raced(service, message string) error {
	return &Error{Kind: raced, Service: service, Message: message}
}

func unknown(service string) error {
	return &Error{Kind: Failed, Service: service, Message: fmt.Sprintf("no service is named %q", service)}
}
