package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"go.yaml.in/yaml/v4"
)

// The origins of a variable, highest first. An app's env_file and the stack's .env are named by their path.
const (
	originPort    = "port"
	originShell   = "shell"
	originEnv     = "env"
	originEnvFile = "env_file " // and the path as written
)

// environment is what all apps of a stack have in common.
type environment struct {
	shell    map[string]string
	portable bool      // the shell is for interpolation alone, and the stack's env_file is not read
	files    []envFile // the stack's env_file, lowest first
	required []string
}

// envFile is the content of one file of variables.
type envFile struct {
	origin string
	values map[string]string
}

// shellMap reads KEY=VALUE; of a key given twice the last one counts.
func shellMap(environ []string) map[string]string {
	out := make(map[string]string, len(environ))
	for _, kv := range environ {
		if key, value, ok := strings.Cut(kv, "="); ok && key != "" {
			out[key] = value
		}
	}
	return out
}

// lookup is the value of a variable for interpolation: the shell's, else the stack's env_file's.
func (e *environment) lookup(key string) (string, bool) {
	if v, ok := e.shell[key]; ok {
		return v, true
	}
	for _, f := range slices.Backward(e.files) {
		if v, ok := f.values[key]; ok {
			return v, true
		}
	}
	return "", false
}

// readEnvFile reads a file in Compose's syntax; variables in it are replaced as in the ecosystem file.
func (e *environment) readEnvFile(path string) (map[string]string, error) {
	data, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	return dotenv.UnmarshalBytesWithLookup(data, e.lookup)
}

// inherited is what the apps get from the caller's shell.
func (e *environment) inherited() map[string]string {
	if e.portable {
		return nil
	}
	return e.shell
}

// addFile reads one of the stack's env files, which may be absent.
func (e *environment) addFile(p *problems, n *yaml.Node, dir, path string) {
	if e.portable {
		return
	}
	values, err := e.readEnvFile(absolute(dir, path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		p.at(n, "cannot read env_file %s: %v", path, plainCause(err))
	default:
		e.files = append(e.files, envFile{path, values})
	}
}

// plainCause is an error without the path that the message names already.
func plainCause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// environment reads the env of a layer. An empty value only declares the variable: its value is the
// shell's or a file's, if any.
func (d *definition) environment(n *yaml.Node) []entry {
	entries := d.entries(n, "env")
	for _, e := range entries {
		if e.key.Value == "" || strings.ContainsAny(e.key.Value, "=\x00") {
			d.at(e.key, "%q is not the name of a variable", e.key.Value)
		}
		if !isNull(e.value) {
			d.element(e.value, "env."+e.key.Value)
		}
	}
	return entries
}

// resolve computes the complete environment of an app, sorted by key, and marks what is declared. overrides are the
// declared variables whose value in a file loses against the shell's.
func (d *definition) resolve(e *environment, dir string) (overrides []string) {
	values := map[string]Variable{}
	set := func(key, value, origin string, declared bool) {
		values[key] = Variable{Key: key, Value: value, Origin: origin, Declared: declared || values[key].Declared}
	}
	for _, f := range e.files {
		for key, value := range f.values {
			set(key, value, f.origin, true)
		}
	}
	for _, path := range d.envFiles {
		content, err := e.readEnvFile(absolute(dir, path))
		if err != nil {
			d.at(d.envFileNode, "cannot read env_file %s: %v", path, plainCause(err))
		}
		for key, value := range content {
			set(key, value, originEnvFile+path, true)
		}
	}
	named := slices.Concat(e.required, d.interpolated)
	wanted := slices.Clone(e.required)
	for _, entry := range d.env {
		if isNull(entry.value) {
			named, wanted = append(named, entry.key.Value), append(wanted, entry.key.Value)
			continue
		}
		set(entry.key.Value, entry.value.Value, originEnv, true)
		if v := values[entry.key.Value]; d.used != nil {
			v.From, v.Unset = d.used.used[entry.value], d.used.unset[entry.value]
			values[entry.key.Value] = v
		}
	}
	for key, value := range e.inherited() {
		if file, ok := values[key]; ok && file.Value != value && (key != "PORT" || d.Port == 0) {
			overrides = append(overrides, key)
		}
		set(key, value, originShell, slices.Contains(named, key))
	}
	if d.Port != 0 {
		set("PORT", strconv.Itoa(d.Port), originPort, true)
	}
	for _, key := range named {
		if v, ok := values[key]; ok {
			v.Declared = true
			values[key] = v
		}
	}
	slices.Sort(wanted)
	for _, key := range slices.Compact(wanted) {
		if _, set := values[key]; !set {
			d.Open = append(d.Open, key)
		}
	}
	d.Environment = make([]Variable, 0, len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		d.Environment = append(d.Environment, values[key])
	}
	return overrides
}

// lacks says that a required variable is not set, or set to nothing.
func (a *App) lacks(key string) bool {
	i, found := slices.BinarySearchFunc(a.Environment, key, func(v Variable, key string) int { return strings.Compare(v.Key, key) })
	return !found || a.Environment[i].Value == ""
}

// putPackagesOnPath puts the executables of installed packages before PATH, as npm does for scripts: node_modules/.bin of
// the app's cwd, and of every directory above it up to the stack's. They are there whether or not they exist now, so that
// an install changes no definition. Another machine's PATH is its own, and without a PATH the system's default stays.
func (d *definition) putPackagesOnPath(e *environment, dir string) {
	i := slices.IndexFunc(d.Environment, func(v Variable) bool { return v.Key == "PATH" })
	if e.portable || i < 0 || d.Environment[i].Value == "" {
		return
	}
	path := ""
	for folder := d.Cwd; ; folder = filepath.Dir(folder) {
		path += filepath.Join(folder, packageBin) + string(filepath.ListSeparator)
		if folder == dir || !strings.HasPrefix(folder, strings.TrimSuffix(dir, "/")+"/") {
			break
		}
	}
	v := &d.Environment[i]
	v.Value, v.Origin = path+v.Value, packageBin+", "+v.Origin
}

// packageBin is where package managers put the executables of what they install.
const packageBin = "node_modules/.bin"

// Environ is the environment as exec wants it: KEY=VALUE.
func (a *App) Environ() []string {
	out := make([]string, len(a.Environment))
	for i, v := range a.Environment {
		out[i] = v.Key + "=" + v.Value
	}
	return out
}

// hash is over the definition and the declared variables, without their origins: moving a value from one file to
// another changes nothing for the process, and neither does the number of its siblings.
func (a App) hash() (string, error) {
	declared := make([]Variable, 0, len(a.Environment))
	for _, v := range a.Environment {
		if v.Declared {
			declared = append(declared, Variable{Key: v.Key, Value: v.Value})
		}
	}
	a.Environment, a.Hash, a.Instances, a.ExecMode, a.Open, a.Unset, a.PerCPU = declared, "", 0, "", nil, nil, false
	data, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
