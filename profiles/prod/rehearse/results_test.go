package rehearse

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What a tool prints may be an environment: an error has only what it says on the side.
func TestErrorsHaveNothingThatWasPrinted(t *testing.T) {
	_, err := runIn(t.Context(), []string{"PASSWORD=printed"}, "sh", "-c", "echo $PASSWORD; echo said >&2; exit 7")
	if err == nil || !strings.Contains(err.Error(), "exit status 7\nsaid") || strings.Contains(err.Error(), "printed") {
		t.Errorf("the error is %v", err)
	}
}

func TestNoSecretIsInResults(t *testing.T) {
	var told strings.Builder
	r := Options{Secrets: map[string]string{"TOKEN": "tok-0123456789", "SHORT": "1"}, Progress: &told}.results("ecs")
	r.live = true
	r.judge("web", "healthy", 1500*time.Microsecond, errors.New("1 of tok-0123456789"), "not seen")
	r.judge("web", "healthy", time.Second, nil, "seen")
	want := []Check{
		{"ecs", "web", "healthy", Failed, "1 of <TOKEN>", 2 * time.Millisecond},
		{"ecs", "web", "healthy", Passed, "seen", time.Second},
	}
	for i, c := range want {
		if r.checks[i] != c {
			t.Errorf("%+v, want %+v", r.checks[i], c)
		}
	}
	if text := told.String(); text != "ecs: web: healthy: failed (1 of <TOKEN>)\necs: web: healthy: passed (seen)\n" {
		t.Errorf("told %q", text)
	}
	if err := r.redacted(errors.New("tok-0123456789")); err.Error() != "<TOKEN>" {
		t.Errorf("the error is %v", err)
	}
}
