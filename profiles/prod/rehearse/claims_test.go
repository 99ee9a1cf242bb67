package rehearse

import (
	"errors"
	"strings"
	"testing"
	"time"

	"devstack/infra"
	"devstack/profiles/prod"
)

func TestTheEnvironmentIsJudged(t *testing.T) {
	w := prod.Workload{
		Config:  []prod.Variable{{Name: "MODE", Value: "a b"}},
		Secrets: []prod.Secret{{Name: "KEY"}},
	}
	image := map[string]string{"LANG": "C"}
	for name, test := range map[string]struct {
		seen    map[string]string
		excused []string
		verdict Verdict
		says    string
	}{
		"as declared":        {map[string]string{"MODE": "a b", "KEY": "hidden", "LANG": "C", "HOSTNAME": "x"}, nil, Passed, "2 variables"},
		"another value":      {map[string]string{"MODE": "a  b", "KEY": "hidden"}, nil, Failed, "MODE"},
		"a secret is gone":   {map[string]string{"MODE": "a b"}, nil, Failed, "KEY"},
		"one too many":       {map[string]string{"MODE": "a b", "KEY": "hidden", "MORE": "1"}, nil, Failed, "MORE"},
		"image's, but other": {map[string]string{"MODE": "a b", "KEY": "hidden", "LANG": "D"}, nil, Failed, "LANG"},
		"in the report":      {map[string]string{"MODE": "c", "KEY": "hidden"}, []string{"MODE"}, Passed, "2 variables"},
	} {
		verdict, detail := judgeEnvironment(w, map[string]string{"KEY": "hidden"}, test.seen, image, test.excused)
		if verdict != test.verdict || !strings.Contains(detail, test.says) || strings.Contains(detail, "hidden") {
			t.Errorf("%s: %s, %s", name, verdict, detail)
		}
	}
}

func TestWithoutAnEngineNothingIsRehearsed(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+t.TempDir()+"/none.sock")
	var engine *infra.Error
	if _, err := Rehearse(t.Context(), Request{Targets: []string{"compose"}}); !errors.As(err, &engine) || engine.Kind != infra.NoEngine || engine.Hint == "" {
		t.Errorf("it says %v", err)
	}
}

func TestAStopIsJudged(t *testing.T) {
	w := prod.Workload{Stop: prod.Stop{Signal: "SIGTERM", Grace: 10 * time.Second}}
	for _, test := range []struct {
		code    int
		took    time.Duration
		verdict Verdict
	}{
		{0, time.Second, Passed}, {143, time.Second, Passed}, {1, time.Second, Failed}, {137, 10 * time.Second, Failed}, {0, 11 * time.Second, Failed},
	} {
		if verdict, detail := judgeStop(w, test.code, test.took); verdict != test.verdict {
			t.Errorf("%d after %s: %s, %s", test.code, test.took, verdict, detail)
		}
	}
}
