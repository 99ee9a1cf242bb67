package pilot

import (
	"path/filepath"
	"slices"
	"strings"
)

const (
	journald   = "/etc/systemd/journald.conf.d/devstack.conf"
	daemonJSON = "/etc/docker/daemon.json"
)

func user(w Wanted, f Facts) Step {
	s := Step{Name: "user"}
	switch {
	case f.User != nil:
		s.Found = w.User + ", home " + w.Home
	case w.User != User:
		s.Problem = &Problem{Message: "there is no user " + w.User, Fix: "run adduser " + w.User + ", or name a user that exists with --user"}
	default:
		s.Found, s.Do = "no "+User, "make the system user "+User+", home "+Home
		s.Actions = []Action{run("useradd", "--system", "--user-group", "--home-dir", Home, "--no-create-home", "--shell", "/usr/sbin/nologin", User)}
	}
	return s
}

// project is whether the user may read it, and what runs it.
func project(w Wanted, f Facts) Step {
	s := Step{Name: "project", Found: filepath.Dir(w.File)}
	if f.Forbidden != "" {
		s.Problem = &Problem{
			Message: w.User + " may not read " + f.Forbidden,
			Fix:     "move the project to a place like /opt/" + w.Project + " and its secrets to " + EnvFile(w.Project) + ", or chmod o+rX " + f.Forbidden,
		}
	}
	return s
}

// directories are those that the processes write.
func directories(w Wanted, f Facts) Step {
	s := Step{Name: "directories"}
	dirs := slices.Clone(w.Writable)
	if w.Home == Home {
		dirs = append([]string{Home}, dirs...)
	}
	var found, missing []string
	for _, dir := range dirs {
		if got, ok := f.Dirs[dir]; ok && f.User != nil && got.UID == f.User.UID && got.Mode&0o700 == 0o700 {
			found = append(found, dir)
			continue
		} else if ok && got.Link { // what the user may write, he could make a link to a directory of root's
			s.Problem = &Problem{
				Message: dir + " is behind a symlink, and " + w.User + " does not own it",
				Fix:     "name the directory itself in ecosystem.yaml, or make it " + w.User + "'s: chown " + w.User + ": " + dir,
			}
			s.Actions = nil
			return s
		}
		missing = append(missing, dir)
		s.Actions = append(s.Actions, run("install", "-d", "-o", w.User, "-g", group(w, f), "-m", "0750", dir))
	}
	if s.Found = strings.Join(found, ", "); s.Found == "" {
		s.Found = "none"
	}
	if len(missing) > 0 {
		s.Do = "make them " + w.User + "'s: " + strings.Join(missing, ", ")
	}
	return s
}

// group is the user's own: useradd gives the new one its name, others have a number.
func group(w Wanted, f Facts) string {
	if f.User == nil {
		return w.User
	}
	return f.User.group()
}

func executables(w Wanted, f Facts) Step {
	s := Step{Name: "executables", Found: w.Devstack + ", " + w.Devstackd}
	if f.Same || w.From == "" {
		return s
	}
	s.Found, s.Do = "they are missing, or others", "install those of "+w.From
	s.Actions = []Action{
		{Copy: [2]string{filepath.Join(w.From, "devstackd"), w.Devstackd}},
		{Copy: [2]string{filepath.Join(w.From, "devstack"), w.Devstack}},
	}
	if f.Units[w.name()].Active == "active" {
		s.Do += ", and have the running stack go on with them" // but for the infra unit, whose stop is that of the containers
		upgrade := run("runuser", "-u", w.User, "--", w.Devstack, "-C", filepath.Dir(w.File), "daemon", "restart")
		upgrade.Env = w.userEnvironment()
		s.Actions = append(s.Actions, upgrade)
	}
	return s
}

// userEnvironment is that of a program which is run as the user.
func (w Wanted) userEnvironment() []string {
	path := strings.Join(append(slices.Clone(w.PathDirs), defaultPath, "/sbin:/bin"), ":")
	return []string{"HOME=" + w.Home, "USER=" + w.User, "LOGNAME=" + w.User, "PATH=" + path}
}

func environment(w Wanted, f Facts) Step {
	file := skeleton(w.Project, w.Required)
	s := Step{Name: "environment", Found: file.Path}
	if _, ok := f.Files[file.Path]; !ok {
		s.Found, s.Do = "no "+file.Path, "write it with the names of what is required, and no values"
		s.Actions = []Action{{Write: &file}}
	}
	return s
}

// build makes missing scripts as the project's owner, before the stack starts: in its unit the project cannot be written.
// A project of root's becomes the user's first, for packages run programs of their own while they are installed.
func build(w Wanted, f Facts) Step {
	s := Step{Name: "build", Found: "every script is there"}
	if w.Build == nil {
		return s
	}
	s.Found = "missing: " + strings.Join(w.Build.Missing, ", ")
	if len(w.Build.Command) == 0 {
		s.Problem = &Problem{Message: s.Found, Fix: "build the project first, or add build to ecosystem.yaml"}
		return s
	}
	owner, as := w.Owner, w
	if owner == "root" {
		owner = w.User
		s.Do = "give the project to " + owner + " and "
		s.Actions = append(s.Actions, run("chown", "-R", "-h", owner+":"+group(w, f), filepath.Dir(w.File)))
	}
	s.Do += "build as " + owner + ": " + strings.Join(w.Build.Command, " ")
	as.User = owner
	made := Action{Run: append([]string{"runuser", "-u", owner, "--"}, w.Build.Command...), Dir: w.Build.Dir, Env: as.userEnvironment()}
	s.Actions = append(s.Actions, made)
	return s
}
