package pilot

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func firstBoot() FirstBoot {
	return FirstBoot{Project: "acme", Required: []string{"DATABASE_URL"}, Dir: "/opt/acme", Source: "https://example.com/acme.git"}
}

func TestCloudInit(t *testing.T) {
	archives := firstBoot()
	archives.Source, archives.Executables = "https://example.com/acme-1.2.tar.gz", "/var/tmp/devstack.tgz"
	archives.Args = []string{"--infra", "native"}
	for name, b := range map[string]FirstBoot{"repository": firstBoot(), "archives": archives} {
		text, err := CloudInit(b)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "cloud-init-"+name+".yaml", text)
		var read struct {
			WriteFiles []struct{ Path, Permissions, Content string } `yaml:"write_files"`
		}
		if err := yaml.Unmarshal([]byte(text), &read); err != nil {
			t.Fatal(err)
		}
		if f := read.WriteFiles[0]; f.Permissions != "0600" || f.Content != skeleton("acme", b.Required).Text {
			t.Errorf("%s has mode %s and holds %q", f.Path, f.Permissions, f.Content)
		}
	}
}

func TestSources(t *testing.T) {
	for _, test := range []struct{ source, want string }{ // the commands, or a part of the error
		{"https://example.com/acme", "git clone -- https://example.com/acme /d"},
		{"git@example.com:acme.git", "git clone -- git@example.com:acme.git /d"},
		{"ssh://git@example.com/acme", "git clone -- ssh://git@example.com/acme /d"},
		{"/srv/acme.git", "git clone -- /srv/acme.git /d"},
		{"/srv/acme.tar.xz", "tar -xf /srv/acme.tar.xz --no-same-owner -C /d"},
		{"https://example.com/a/acme.tgz", "curl --fail --location --silent --show-error --retry 5 --output /var/tmp/devstack-project.tgz -- https://example.com/a/acme.tgz; tar -xf /var/tmp/devstack-project.tgz --no-same-owner -C /d"},
		{"https://ada:s3cret@example.com/acme.git", "example.com/acme.git contains a password"},
		{"https://s3cret@example.com/acme.git", "example.com/acme.git contains a password"},
		{"https://example.com/acme.tgz?token=s3cret", "has a query"},
		{"acme.tgz", "neither"},
		{"", "neither"},
	} {
		commands, _, err := fetch(test.source, "/d", "project")
		var lines []string
		for _, c := range commands {
			lines = append(lines, strings.Join(c, " "))
		}
		got := strings.Join(lines, "; ")
		if err != nil {
			if got = err.Error(); strings.Contains(got, "s3cret") {
				t.Errorf("%s: the error tells the secret: %v", test.source, err)
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("%s: %v", test.source, err)
			}
		} else if got != test.want {
			t.Errorf("%s: %s", test.source, got)
		}
	}
}

func TestNoCloudInitWithoutAPlace(t *testing.T) {
	relative, repository := firstBoot(), firstBoot()
	relative.Dir = "acme"
	repository.Executables = "https://example.com/devstack.git"
	for _, b := range []FirstBoot{relative, repository} {
		if text, err := CloudInit(b); err == nil {
			t.Errorf("rendered\n%s", text)
		}
	}
}
