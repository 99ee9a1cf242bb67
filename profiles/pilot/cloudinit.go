package pilot

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

// FirstBoot is a new machine that makes itself the pilot machine of a stack.
type FirstBoot struct {
	Project  string
	Required []string // names of variables

	Dir         string // where the project will be
	Source      string // git repository, or tar archive: a URL, or a path on the new machine
	Executables string // tar archive of devstack and devstackd; empty: they are in the project's bin
	Args        []string
}

// cloudConfig is the part of cloud-init's configuration that is used.
type cloudConfig struct {
	Users         []any       `yaml:"users"`
	PackageUpdate bool        `yaml:"package_update"`
	Packages      []string    `yaml:"packages"`
	WriteFiles    []cloudFile `yaml:"write_files"`
	RunCmd        [][]string  `yaml:"runcmd"`
}

type cloudFile struct {
	Path        string `yaml:"path"`
	Owner       string `yaml:"owner"`
	Permissions string `yaml:"permissions"`
	Content     string `yaml:"content"`
}

type cloudUser struct {
	Name         string `yaml:"name"`
	System       bool   `yaml:"system"`
	Homedir      string `yaml:"homedir"`
	NoCreateHome bool   `yaml:"no_create_home"`
	Shell        string `yaml:"shell"`
	LockPasswd   bool   `yaml:"lock_passwd"`
}

const cloudHeader = `#cloud-config
# Written by devstack bootstrap --cloud-init. Every program on the machine can read this: there are no secrets in it, and
# none belong here. Values go into %s on the machine; then: devstack -C %s bootstrap
`

// CloudInit renders the first boot as a cloud-config. Sources that hold a password or a token are refused, for user data
// is readable by every program on the machine.
func CloudInit(b FirstBoot) (string, error) {
	if !filepath.IsAbs(b.Dir) {
		return "", fmt.Errorf("the project's directory on the machine must be an absolute path, not %q", b.Dir)
	}
	packages := []string{"ca-certificates"}
	project, needs, err := fetch(b.Source, b.Dir, "project")
	if err != nil {
		return "", err
	}
	packages = append(packages, needs...)
	commands := [][]string{{"systemctl", "restart", "systemd-journald.service"}, {"mkdir", "-p", b.Dir}}
	commands = append(commands, project...)
	bin := filepath.Join(b.Dir, "bin")
	if b.Executables != "" {
		if isRepository(b.Executables) {
			return "", fmt.Errorf("executables must come in a tar archive, not from %q", b.Executables)
		}
		got, needs, err := fetch(b.Executables, "/usr/local/bin", "executables")
		if err != nil {
			return "", err
		}
		bin = "/usr/local/bin"
		commands = append(commands, got...)
		if len(needs) > 0 && packages[len(packages)-1] != needs[0] {
			packages = append(packages, needs...)
		}
	}
	commands = append(commands, append([]string{bin + "/devstack", "-C", b.Dir, "bootstrap"}, b.Args...))
	env := skeleton(b.Project, b.Required)
	config := cloudConfig{
		Users:         []any{"default", cloudUser{Name: User, System: true, Homedir: Home, NoCreateHome: true, Shell: "/usr/sbin/nologin", LockPasswd: true}},
		PackageUpdate: true, Packages: packages,
		WriteFiles: []cloudFile{asCloudFile(env), asCloudFile(journalLimit())},
		RunCmd:     commands,
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, cloudHeader, env.Path, b.Dir)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(config); err != nil {
		return "", err
	}
	return out.String(), encoder.Close()
}

func asCloudFile(f File) cloudFile {
	return cloudFile{Path: f.Path, Owner: "root:root", Permissions: fmt.Sprintf("%04o", f.Mode), Content: f.Text}
}

// fetch are the commands that bring source into dir, and the packages that they need. No shell is between.
func fetch(source, dir, name string) (commands [][]string, packages []string, err error) {
	u, err := url.Parse(source)
	remote := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	if err == nil && u.User != nil {
		if _, password := u.User.Password(); password || remote {
			u.User = nil
			return nil, nil, fmt.Errorf("the URL of %s contains a password or a token, and every program on the machine can read user data", u)
		}
	}
	if remote && u.RawQuery != "" {
		return nil, nil, fmt.Errorf("%s://%s%s has a query, which may contain a token, and every program on the machine can read user data", u.Scheme, u.Host, u.Path)
	}
	switch {
	case isRepository(source):
		return [][]string{{"git", "clone", "--", source, dir}}, []string{"git"}, nil
	case remote:
		archive := "/var/tmp/devstack-" + name + suffix(u.Path)
		return [][]string{{"curl", "--fail", "--location", "--silent", "--show-error", "--retry", "5", "--output", archive, "--", source}, unpack(archive, dir)},
			[]string{"curl"}, nil
	case filepath.IsAbs(source):
		return [][]string{unpack(source, dir)}, nil, nil
	}
	return nil, nil, fmt.Errorf("%q is neither a URL nor an absolute path on the new machine", source)
}

// unpack makes the files root's, whoever packed them.
func unpack(archive, dir string) []string {
	return []string{"tar", "-xf", archive, "--no-same-owner", "-C", dir}
}

// isRepository is everything that is not named like a tar archive.
func isRepository(source string) bool {
	return suffix(source) == "" && (strings.Contains(source, ":") || strings.HasSuffix(source, ".git"))
}

// suffix is that of a tar archive; empty for everything else.
func suffix(name string) string {
	for _, s := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2"} {
		if strings.HasSuffix(name, s) {
			return s
		}
	}
	return ""
}
