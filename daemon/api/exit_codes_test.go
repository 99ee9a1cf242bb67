package api_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"devstack/daemon/api"
)

// Every code that is declared is explained, once and in order.
func TestEveryExitCodeIsExplained(t *testing.T) {
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^\tExit\w+ +Code = (\d+)`).FindAllSubmatch(source, -1)
	all := api.ExitCodes()
	if len(declared) == 0 || len(all) != len(declared) {
		t.Fatalf("%d codes are declared and %d explained", len(declared), len(all))
	}
	for i, d := range declared {
		if n, _ := strconv.Atoi(string(d[1])); all[i].Code != api.Code(n) || all[i].Meaning == "" {
			t.Errorf("after %d codes, %d is declared and %+v explained", i, n, all[i])
		}
	}
}
