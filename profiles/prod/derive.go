package prod

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"devstack/stack"
)

// deriver is what the parts of one derivation share.
type deriver struct {
	st      *stack.Stack
	o       Options
	root    string                       // absolute: the workspace
	origins map[string]map[string]string // app -> key -> where its value comes from
	found   stack.Errors
}

// Derive is the production form of a stack, and what became of every key. What cannot be exported at all is stack.Errors,
// all problems at once; a name in Options that the stack does not have is a *stack.UnknownError.
func Derive(st *stack.Stack, o Options) (Model, Report, error) {
	d := &deriver{st: st, o: o, root: workspace(st, o)}
	if err := d.checkNames(); err != nil {
		return Model{}, Report{}, err
	}
	if err := d.readOrigins(); err != nil {
		return Model{}, Report{}, fmt.Errorf("cannot resolve the stack: %w", err)
	}
	m := Model{Name: dnsName(st.Name), Source: filepath.Base(st.File), Workloads: []Workload{}, Backing: []Backing{}}
	m.Build = d.build()
	var apps []*account
	for i := range st.Apps {
		a := &account{deriver: d, app: &st.Apps[i]}
		a.workload(m.Name)
		m.Workloads = append(m.Workloads, a.w)
		apps = append(apps, a)
	}
	d.resolveEdges(m.Workloads)
	m.Backing = d.backing(m.Workloads)
	d.checkUnique(m)

	r := Report{Entries: d.stackEntries(m)}
	for i, a := range apps {
		a.w = m.Workloads[i]
		r.Entries = append(r.Entries, a.entries()...)
	}
	r.Entries = append(r.Entries, d.serviceEntries(m)...)
	if len(d.found) > 0 {
		return Model{}, Report{}, d.found
	}
	return m, r, nil
}

// refuse records a problem that keeps the stack from being exported.
func (d *deriver) refuse(subject, key, message, hint string) {
	d.found = append(d.found, &stack.Error{File: filepath.Base(d.st.File), Message: subject + ": " + key + ": " + message, Hint: hint})
}

// checkNames finds names on the command line that mean nothing.
func (d *deriver) checkNames() error {
	for _, name := range slices.Sorted(maps.Keys(d.o.Images)) {
		if !slices.ContainsFunc(d.st.Apps, func(a stack.App) bool { return a.Name == name }) {
			return &stack.UnknownError{Kind: "app", Name: name}
		}
	}
	for _, name := range d.o.Containers {
		if d.st.Compose == nil || !slices.Contains(d.st.Compose.ServiceNames(), name) {
			return &stack.UnknownError{Kind: "service", Name: name}
		}
	}
	if len(d.st.Apps) == 0 {
		return stack.Errors{{File: filepath.Base(d.st.File), Message: "there are no apps to export", Hint: "write apps: an export has apps, and the containers that they need"}}
	}
	return nil
}

// readOrigins asks the stack for the layer that every setting comes from.
func (d *deriver) readOrigins() error {
	resolved, err := d.st.Config(false)
	if err != nil {
		return err
	}
	d.origins = map[string]map[string]string{}
	for _, a := range resolved.Apps {
		d.origins[a.Name] = map[string]string{}
		for _, s := range a.Settings {
			d.origins[a.Name][s.Key] = s.Origin
		}
	}
	return nil
}

// workspace is the directory that images are built from.
func workspace(st *stack.Stack, o Options) string {
	if o.Workspace != "" {
		return filepath.Clean(o.Workspace)
	}
	if st.Build != nil && !slices.ContainsFunc(st.Apps, func(a stack.App) bool { _, ok := inside(st.Build.Dir, a.Cwd); return !ok }) {
		return st.Build.Dir
	}
	return st.Dir
}

// inside is path relative to dir, with slashes, when it is dir or below it.
func inside(dir, path string) (string, bool) {
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func (d *deriver) build() Build {
	b := Build{Context: ".", Command: []string{}}
	if rel, err := filepath.Rel(d.st.Dir, d.root); err == nil {
		b.Context = filepath.ToSlash(rel)
	}
	if d.st.Build == nil {
		return b
	}
	b.Command = d.argv(StackSubject, "build.command", d.st.Build.Command)
	if d.st.Build.Dir != d.root {
		d.refuse(StackSubject, "build", "it does not run in the directory of the workspace", "set defaults.cwd to the directory of the lock file")
	}
	return b
}

// maxName leaves room for what targets put before and after a name.
const maxName = 40

var notDNS = regexp.MustCompile(`[^a-z0-9]+`)

// dnsName is a name as a DNS label: lower case, digits and single hyphens, beginning with a letter.
func dnsName(name string) string {
	s := strings.Trim(notDNS.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if s == "" || s[0] < 'a' {
		s = "app-" + s
	}
	if len(s) > maxName {
		s = s[:maxName]
	}
	return strings.Trim(s, "-")
}

// checkUnique refuses two names that are one in production.
func (d *deriver) checkUnique(m Model) {
	first := map[string]string{}
	see := func(name, subject string) {
		if other, taken := first[name]; taken {
			d.refuse(subject, "name", "production calls it "+name+", as it calls "+other, "rename one of them")
			return
		}
		first[name] = subject
	}
	for _, w := range m.Workloads {
		see(w.Name, AppSubject(w.App))
	}
	for _, b := range m.Backing {
		see(b.Name, ServiceSubject(b.Name))
	}
}

// resolveEdges names the workloads that edges lead to, and says how each is waited for.
func (d *deriver) resolveEdges(all []Workload) {
	byApp := map[string]*Workload{}
	for i := range all {
		byApp[all[i].App] = &all[i]
	}
	for i := range all {
		for j := range all[i].Edges {
			e := &all[i].Edges[j]
			e.Wait = Retry
			if target := byApp[e.Name]; !e.Backing && target != nil {
				e.Name = target.Name
				if e.Condition == stack.Completed && target.Kind == Job {
					e.Wait = JobFirst
				}
			}
		}
	}
}

// sortVariables orders by name.
func sortVariables(list []Variable) {
	slices.SortFunc(list, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
}
