package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/daemon/api"
	"devstack/infra"
	"devstack/stack"
)

// driverRule is one line of what --infra means. An empty field stands for every value, "-" for nothing.
type driverRule struct {
	asked, running, last string
	engine, native       string // yes or no: is nothing in its way

	driver string   // empty: a refusal
	exit   api.Code // of the refusal
	says   []string // in its message or its hint
	asks   string   // of what it asked whether it is there, in order
}

var driverRules = []driverRule{
	{asked: "none", exit: api.ExitUsage, says: []string{`"none"`, "auto, docker or native"}},

	// Services run: nothing changes their driver, and nobody needs to be asked.
	{asked: "auto", running: "docker", driver: "docker"},
	{asked: "auto", running: "native", driver: "native"},
	{asked: "docker", running: "docker", driver: "docker"},
	{asked: "native", running: "native", driver: "native"},
	{asked: "docker", running: "native", exit: api.ExitUsage, says: []string{"with native, not with docker", "devstack down"}},
	{asked: "native", running: "docker", exit: api.ExitUsage, says: []string{"with docker, not with native", "devstack down"}},

	// What is asked for wins over what was there before.
	{asked: "docker", running: "-", engine: "yes", driver: "docker", asks: "engine"},
	{asked: "docker", running: "-", engine: "no", exit: api.ExitEngine, says: []string{"no engine", "start it"}, asks: "engine"},
	{asked: "native", running: "-", native: "yes", driver: "native", asks: "native"},
	{asked: "native", running: "-", native: "no", exit: api.ExitEngine, says: []string{"no servers", "install them"}, asks: "native"},

	// The data decides.
	{asked: "auto", running: "-", last: "docker", engine: "yes", driver: "docker", asks: "engine"},
	{asked: "auto", running: "-", last: "docker", engine: "no", exit: api.ExitEngine, says: []string{"no engine", "docker last", "start it", "--infra native", "separate"}, asks: "engine"},
	{asked: "auto", running: "-", last: "native", native: "yes", driver: "native", asks: "native"},
	{asked: "auto", running: "-", last: "native", native: "no", exit: api.ExitEngine, says: []string{"no servers", "native last", "install them", "--infra docker", "separate"}, asks: "native"},

	// The first time.
	{asked: "auto", running: "-", last: "-", engine: "yes", driver: "docker", asks: "engine"},
	{asked: "auto", running: "-", last: "-", engine: "no", native: "yes", driver: "native", asks: "engine native"},
	{asked: "auto", running: "-", last: "-", engine: "no", native: "no", exit: api.ExitEngine, says: []string{"no engine", "no servers", "start it", "install them"}, asks: "engine native"},
}

// matches says whether the rule speaks of these values.
func (r driverRule) matches(c choice, engine, native string) bool {
	for _, pair := range [][2]string{{r.asked, c.asked}, {r.running, c.running}, {r.last, c.last}, {r.engine, engine}, {r.native, native}} {
		if pair[0] != "" && pair[0] != pair[1] && (pair[0] != "-" || pair[1] != "") {
			return false
		}
	}
	return true
}

// Every combination has one rule, and choose keeps it.
func TestChoose(t *testing.T) {
	for _, asked := range []string{"auto", "docker", "native", "none"} {
		for _, running := range []string{"", "docker", "native"} {
			for _, last := range []string{"", "docker", "native"} {
				for _, engine := range []string{"yes", "no"} {
					for _, native := range []string{"yes", "no"} {
						checkChoice(t, choice{asked, running, last}, engine, native)
					}
				}
			}
		}
	}
}

func checkChoice(t *testing.T, c choice, engine, native string) {
	t.Helper()
	name := fmt.Sprintf("%+v, engine %s, native %s", c, engine, native)
	var rules []driverRule
	for _, r := range driverRules {
		if r.matches(c, engine, native) {
			rules = append(rules, r)
		}
	}
	if len(rules) != 1 {
		t.Errorf("%s: %d rules", name, len(rules))
		return
	}
	want, asks := rules[0], []string{}
	driver, err := choose(c, func() error {
		asks = append(asks, "engine")
		return missing(engine, "no engine answers", "start it")
	}, func() error {
		asks = append(asks, "native")
		return missing(native, "no servers are here", "install them")
	})
	if got := strings.Join(asks, " "); got != want.asks {
		t.Errorf("%s: asked for %q, not for %q", name, got, want.asks)
	}
	if want.driver != "" {
		if err != nil || driver != want.driver {
			t.Errorf("%s: %q, %v", name, driver, err)
		}
		return
	}
	if err == nil {
		t.Errorf("%s: %s is not refused", name, driver)
		return
	}
	f := infraFailures(err)[0]
	said := f.Message + "\n" + infraHint(err)
	for _, words := range want.says {
		if !strings.Contains(said, words) {
			t.Errorf("%s does not say %q: %s", name, words, said)
		}
	}
	if f.Exit != want.exit {
		t.Errorf("%s: exit code %d, not %d", name, f.Exit, want.exit)
	}
}

func missing(there, message, hint string) error {
	if there == "yes" {
		return nil
	}
	return &infra.Error{Kind: infra.NoEngine, Message: message, Hint: hint}
}

// An image that native services cannot stand for is an error in the files, also where the project had them last.
func TestChooseKeepsTheKind(t *testing.T) {
	unsupported := func() error {
		return errors.Join(
			&infra.Error{Kind: infra.Unsupported, Service: "search", Message: "only Docker runs opensearch"},
			&infra.Error{Kind: infra.Unsupported, Service: "queue", Message: "only Docker runs nats"},
		)
	}
	for _, c := range []choice{{asked: "native"}, {asked: "auto", last: "native"}} {
		_, err := choose(c, func() error { return nil }, unsupported)
		if f := infraFailures(err); f[0].Exit != api.ExitFiles || !strings.Contains(err.Error(), "opensearch") || !strings.Contains(err.Error(), "nats") {
			t.Errorf("%+v: %+v", c, f)
		}
	}
}

// The driver stays with the data, and goes with it.
func TestDownForgetsTheDriverWithItsData(t *testing.T) {
	services := &stack.Stack{Compose: &types.Project{}}
	for name, tc := range map[string]struct {
		was  intent
		req  api.DownRequest
		want string
	}{
		"down":                    {intent{Stack: services}, api.DownRequest{}, driverNative},
		"down -v":                 {intent{Stack: services}, api.DownRequest{Volumes: true}, ""},
		"down -v of no service":   {intent{Stack: &stack.Stack{}}, api.DownRequest{Volumes: true}, driverNative},
		"down -v with --no-infra": {intent{Stack: services, NoInfra: true}, api.DownRequest{Volumes: true}, driverNative},
		"down --keep-infra":       {intent{Stack: services}, api.DownRequest{KeepInfra: true}, driverNative},
		"a signal's down":         {intent{Stack: services}, api.DownRequest{KeepInfra: true, Volumes: true}, driverNative},
	} {
		tc.was.lasting = lasting{Driver: driverNative, Stopped: set("web")}
		if got := tc.was.afterDown(tc.req); got.Driver != tc.want || !got.Stopped["web"] || got.Stack != nil {
			t.Errorf("%s: %+v, want driver %q", name, got, tc.want)
		}
	}
}
