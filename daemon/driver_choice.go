package daemon

import (
	"errors"
	"fmt"
	"strings"

	"devstack/daemon/api"
	"devstack/infra"
)

// choice is what the driver of an `up` follows from. Empty: none.
type choice struct {
	asked   string // --infra
	running string // whose services run now
	last    string // whose services this project had last
}

// separate is why a project does not change its driver by itself.
const separate = "the data of Docker and of native services is separate"

// choose is the driver of an `up`: what was asked for, but never beside services of the other one; else the one whose
// services run; else the one that the project had last, whose data it has; else Docker where an engine answers; else
// native. engine and native say what is in the way of each, and are asked only where that matters.
func choose(c choice, engine, native func() error) (string, error) {
	asked := c.asked
	if asked == "" {
		asked = driverAuto
	}
	switch {
	case asked != driverAuto && asked != driverDocker && asked != driverNative:
		return "", &api.Error{
			Exit: api.ExitUsage, Message: fmt.Sprintf("devstack cannot run services with %q", c.asked), Hint: "--infra is auto, docker or native",
		}
	case c.running != "" && asked != driverAuto && asked != c.running:
		return "", &api.Error{
			Exit: api.ExitUsage, Message: fmt.Sprintf("the services run with %s, not with %s", c.running, asked),
			Hint: "run devstack down first; " + separate,
		}
	case c.running != "":
		return c.running, nil
	case asked == driverDocker:
		return driverDocker, engine()
	case asked == driverNative:
		return driverNative, native()
	case c.last == driverDocker:
		return driverDocker, stay(engine(), driverDocker, driverNative)
	case c.last == driverNative:
		return driverNative, stay(native(), driverNative, driverDocker)
	}
	noEngine := engine()
	if noEngine == nil {
		return driverDocker, nil
	}
	noNative := native()
	if noNative == nil {
		return driverNative, nil
	}
	return "", &infra.Error{
		Kind: infra.NoEngine, Message: fmt.Sprintf("%s; and natively: %s", oneLine(noEngine), oneLine(noNative)),
		Hint: ways(repairing(noEngine), repairing(noNative)),
	}
}

// stay says of the driver that has the project's data what is in the way of it, and that the other one would begin anew.
func stay(err error, driver, other string) error {
	if err == nil {
		return nil
	}
	e := &infra.Error{Kind: infra.NoEngine}
	if known := (*infra.Error)(nil); errors.As(err, &known) {
		e.Kind, e.Service = known.Kind, known.Service
	}
	e.Message = fmt.Sprintf("%s; the services of this project ran with %s last", oneLine(err), driver)
	e.Hint = ways(repairing(err), fmt.Sprintf("devstack up --infra %s, without that data: %s", other, separate))
	return e
}

// repairing is how to have after all what is missing. What cannot be done has no such way: its hint names the other driver.
func repairing(err error) string {
	if known := (*infra.Error)(nil); errors.As(err, &known) && known.Kind == infra.Unsupported {
		return ""
	}
	return infraHint(err)
}

// ways are next steps of which one is enough.
func ways(steps ...string) string {
	var out []string
	for _, s := range steps {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "; or ")
}

// oneLine is a message of several errors in one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
