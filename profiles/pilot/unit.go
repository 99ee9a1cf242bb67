package pilot

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Where the services of the Compose file run.
const (
	Docker = "docker" // in containers; they have a unit of their own
	Native = "native" // as servers of this machine, in the stack's unit
	None   = "none"   // there are none
)

// Home is the home of the user that bootstrap creates; state and native data are below it.
const (
	Home = "/var/lib/devstack"
	User = "devstack"
)

const (
	unitDir = "/etc/systemd/system"
	envDir  = "/etc/devstack"

	// defaultPath is the PATH that systemd gives to units.
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
)

// Unit is what the units of a stack say.
type Unit struct {
	Project string // Compose project name: the units' names
	Named   bool   // the name was given by -p: the files do not say it
	File    string // real path of ecosystem.yaml

	User string // the processes' and the supervisor's
	Home string // of User; below it the state

	Driver string // Docker, Native or None

	Devstack, Devstackd string // absolute paths of the executables

	PathDirs []string      // in front of systemd's PATH: where Node.js is, if it is nowhere else
	Writable []string      // directories beside Home that the processes write: those of log files
	Stop     time.Duration // the longest that stopping all processes may take
	Systemd  int           // systemd's version; keys that it does not know are left out
}

// File is a file that is wholly devstack's.
type File struct {
	Path string
	Mode uint32
	Text string
}

// Names are the units of a project, in the order in which they start.
func (u Unit) Names() []string {
	if u.Driver == Docker {
		return []string{u.infraName(), u.name()}
	}
	return []string{u.name()}
}

func (u Unit) name() string      { return u.Project + ".service" }
func (u Unit) infraName() string { return u.Project + "-infra.service" }

// EnvFile is the environment file of a project.
func EnvFile(project string) string { return envDir + "/" + project + ".env" }

// Units renders a stack's units. A path that no unit can hold is an error: control characters, and quotes or backslashes in
// that of an executable.
func Units(u Unit) ([]File, error) {
	for _, path := range append([]string{u.File, u.Home, u.User, u.Devstack, u.Devstackd}, append(u.PathDirs, u.Writable...)...) {
		if strings.ContainsFunc(path, unicode.IsControl) {
			return nil, fmt.Errorf("cannot write a unit: %q contains a control character", path)
		}
	}
	for _, path := range []string{u.Devstack, u.Devstackd} {
		if strings.ContainsAny(path, `"'\`) {
			return nil, fmt.Errorf("cannot write a unit: systemd runs no program whose path has quotes or backslashes: %s", path)
		}
	}
	files := []File{{Path: filepath.Join(unitDir, u.name()), Mode: 0o644, Text: u.stack().String()}}
	if u.Driver == Docker {
		files = slices.Insert(files, 0, File{Path: filepath.Join(unitDir, u.infraName()), Mode: 0o644, Text: u.infra().String()})
	}
	return files, nil
}

// stack is the unit of the supervisor and the processes; with native services, of their servers, too.
func (u Unit) stack() *document {
	d := &document{}
	d.section("Unit")
	d.set("Description", "devstack: "+u.Project)
	d.set("Wants", "network-online.target")
	d.set("After", "network-online.target")
	if u.Driver == Docker {
		d.set("Wants", u.infraName())
		d.set("After", u.infraName())
	}
	d.set("RequiresMountsFor", list(filepath.Dir(u.File), u.Home))
	d.set("StartLimitIntervalSec", "300")
	d.set("StartLimitBurst", "10")

	boot, down := []string{"resurrect", "--foreground"}, []string{"down"}
	if u.Driver == Docker {
		boot, down = append(boot, "--no-infra"), append(down, "--keep-infra")
	}
	d.section("Service")
	d.set("Type", "notify")
	d.set("NotifyAccess", "main")
	d.set("ExecStart", u.devstack(boot...))
	d.set("ExecReload", u.devstack("reload", "all"))
	d.set("ExecStop", u.devstack(down...))
	d.set("TimeoutStartSec", "180") // the supervisor asks for more while it sees progress
	d.set("TimeoutStopSec", fmt.Sprint(int(u.Stop.Round(time.Second).Seconds())+30))
	d.set("WatchdogSec", "60")
	d.restarts(u.Systemd)
	d.set("KillMode", "mixed")
	d.set("OOMPolicy", "continue")
	d.set("User", u.User)
	d.set("UMask", "0077")
	d.set("LimitNOFILE", "65536")
	d.set("LimitCORE", "0")
	if u.Home == Home {
		d.set("StateDirectory", "devstack")
		d.set("StateDirectoryMode", "0750")
	}
	u.environment(d)
	d.hardened("AF_UNIX AF_INET AF_INET6 AF_NETLINK") // os.networkInterfaces() needs netlink
	d.set("CapabilityBoundingSet", "")
	d.set("ProtectHome", u.protectHome())
	if writable := u.writable(); len(writable) > 0 {
		d.set("ReadWritePaths", list(writable...))
	}
	d.installed()
	return d
}

// infra is the unit of the containers. The engine's socket is root's, and who may use it is root in the end: so it is a
// program of its own, root without root's capabilities, and the processes' user gets no part in it.
func (u Unit) infra() *document {
	d := &document{}
	d.section("Unit")
	d.set("Description", "devstack: containers of "+u.Project)
	d.set("Wants", "docker.service") // not Requires: an engine that is restarted leaves its containers, which this waits for
	d.set("After", "docker.service")
	d.set("RequiresMountsFor", list(filepath.Dir(u.File)))
	d.set("StartLimitIntervalSec", "300")
	d.set("StartLimitBurst", "10")
	args := []string{"infra", "--file", u.File, "--profile", "pilot"}
	if u.Named {
		args = append(args, "-p", u.Project)
	}
	d.section("Service")
	d.set("Type", "notify")
	d.set("NotifyAccess", "main")
	d.set("ExecStart", command(u.Devstackd, args...))
	d.set("TimeoutStartSec", "300")
	d.set("TimeoutStopSec", "120") // it asks for more where stop_grace_period does
	d.set("WatchdogSec", "60")
	d.restarts(u.Systemd)
	d.set("KillMode", "mixed")
	d.set("OOMPolicy", "continue")
	d.set("UMask", "0077")
	d.set("LimitNOFILE", "65536")
	d.set("LimitCORE", "0")
	d.set("StateDirectory", "devstack-infra")
	d.set("StateDirectoryMode", "0700")
	d.set("Environment", list("HOME=/var/lib/devstack-infra", "DEVSTACK_PROFILE=pilot"))
	d.set("EnvironmentFile", "-"+percent(EnvFile(u.Project)))
	d.hardened("AF_UNIX AF_INET AF_INET6")
	d.set("CapabilityBoundingSet", "CAP_DAC_READ_SEARCH") // the project's files need not be everybody's to read
	d.set("ProtectHome", u.protectHome())
	d.installed()
	return d
}

// devstack is a command line of the command, about this project.
func (u Unit) devstack(args ...string) string {
	about := []string{"-C", filepath.Dir(u.File)}
	if name := filepath.Base(u.File); name != "ecosystem.yaml" && name != "ecosystem.yml" {
		about = append(about, "-f", name)
	}
	if u.Named {
		about = append(about, "-p", u.Project)
	}
	return command(u.Devstack, append(about, args...)...)
}

func (u Unit) environment(d *document) {
	variables := []string{"DEVSTACK_PROFILE=pilot"}
	if len(u.PathDirs) > 0 {
		variables = append(variables, "PATH="+strings.Join(u.PathDirs, ":")+":"+defaultPath)
	}
	d.set("Environment", list(variables...))
	d.set("EnvironmentFile", "-"+percent(EnvFile(u.Project)))
}

// writable are the directories that the hardened unit may write beside its StateDirectory, sorted.
func (u Unit) writable() []string {
	all := slices.Clone(u.Writable)
	if u.Home != Home {
		all = append(all, u.Home)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(path string) bool { return u.Home == Home && below(path, Home) })
}

// protectHome hides people's homes, unless the stack is in one: then they are there, and cannot be written.
func (u Unit) protectHome() string {
	paths := append([]string{u.File, u.Home, u.Devstack, u.Devstackd}, append(u.PathDirs, u.Writable...)...)
	for _, path := range paths {
		if below(path, "/home") || below(path, "/root") || below(path, "/run/user") {
			return "read-only"
		}
	}
	return "yes"
}

// below says whether path is dir or in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
