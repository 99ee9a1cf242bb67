package probe

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/readiness.md anew")

// TestReadinessPage keeps docs/readiness.md what Kinds says: go test ./probe -run TestReadinessPage -update
func TestReadinessPage(t *testing.T) {
	const path = "../docs/readiness.md"
	want := readinessPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("docs/readiness.md is stale (%v); run: go test ./probe -run TestReadinessPage -update", err)
	}
}

func readinessPage() string {
	var page strings.Builder
	page.WriteString(`# Readiness

Generated from ` + "`probe.Kinds` by `go test ./probe -run TestReadinessPage -update`" + `; do not edit.

Ready means: it has answered. READY in ` + "`devstack ps` (`ready_by` in JSON) and PROBED BY in `devstack health`" + ` say in one word what that rests
on. ` + "`up`, `start`, `restart`, `reload`, `scale`" + ` and the gates of dependents go by the same fact, and ` + "`health`" + ` asks the same thing anew.

- Of the rows that apply to an app, the upper one decides: with ` + "`wait_ready` or a `healthcheck`, a `port`" + ` is not asked for. With ` + "`wait_ready` and a `healthcheck`" + ` the
  message makes it ready, and the healthcheck watches it from then on. A service that devstack knows is asked in its own protocol and by its own healthcheck, and
  both have to pass.
- What is not ready within ` + "`listen_timeout`" + ` (30 s) is late: commands report it, and it goes on being watched.
- A restart or an exit during ` + "`up`" + ` is a failure that ` + "`up`" + ` names, also of an app that was ready before.
- ` + "`unchecked`" + ` says what it means: it runs, and nobody can tell more. ` + "`health`" + ` never calls it healthy.

| READY | who | what is asked, of whom | how often | what counts | cost | limits |
|---|---|---|---|---|---|---|
`)
	for _, r := range Kinds() {
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s | %s | %s |\n", r.Kind, r.Of, r.Asked, r.Often, r.Counts, r.Cost, r.Limits)
	}
	return page.String()
}
