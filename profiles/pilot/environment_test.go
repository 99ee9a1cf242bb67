package pilot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironment(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"A=1\n# B=2\n;C=3\n\n D = 4 \n", []string{"A=1", "D=4"}},
		{"A=\nB=x=y\n", []string{"A=", "B=x=y"}},
		{`A="a b"` + "\n" + `B='$HOME "x"'`, []string{"A=a b", `B=$HOME "x"`}},
		{`A="a \"b\" \\ \n \$"`, []string{`A=a "b" \ \n $`}},
		{`A=a\ b`, []string{"A=a b"}},
		{"A=one\\\ntwo\n", []string{"A=onetwo"}},
		{"export A=1\n1A=2\nno line\n", nil},
	} {
		if diff := cmp.Diff(test.want, Environment(test.text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestASkeletonSetsNothing(t *testing.T) {
	f := skeleton("acme", []string{"DATABASE_URL", "API_KEY"})
	if f.Path != "/etc/devstack/acme.env" || f.Mode != 0o600 {
		t.Errorf("%s has mode %o", f.Path, f.Mode)
	}
	if got := Environment(f.Text); got != nil {
		t.Errorf("it sets %v", got)
	}
	filled := strings.ReplaceAll(strings.ReplaceAll(f.Text, "#DATABASE_URL=", "DATABASE_URL=x"), "#API_KEY=", "API_KEY=y")
	if diff := cmp.Diff([]string{"DATABASE_URL=x", "API_KEY=y"}, Environment(filled)); diff != "" {
		t.Errorf("filled in (-want +got):\n%s", diff)
	}
}
