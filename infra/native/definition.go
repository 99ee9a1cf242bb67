package native

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
)

// definition is a service of the Compose file as the host's server understands it.
type definition struct {
	Kind     kind
	Major    int
	Argv     []string          // as the Compose file says it, for the gate
	Env      map[string]string // with what *_FILE variables point to
	Login    infra.Login
	HostIP   string
	Port     int // 0: any from Low to High, or any at all
	Low      int
	High     int
	Options  []option
	Init     []string // files to run in a new database
	Grace    time.Duration
	Mounts   []infra.Mount
	Networks map[string]string
}

// defaultGrace is Docker's.
const defaultGrace = 10 * time.Second

// define reads a service. refused says what native services cannot do for it, in words that follow "service NAME: ".
func define(p *types.Project, s types.ServiceConfig) (d definition, refused []string) {
	d.Kind, d.Major = recognise(s.Image)
	if d.Kind == "" {
		return d, []string{fmt.Sprintf("the image %s can only be run by Docker; native services are redis, valkey and postgres", infra.ImageName(p.Name, s))}
	}
	d.Grace = defaultGrace
	if s.StopGracePeriod != nil {
		d.Grace = time.Duration(*s.StopGracePeriod)
	}
	refused = needContainer(s)
	refuse := func(problem string) {
		if problem != "" {
			refused = append(refused, problem)
		}
	}
	mounted, problem := filesOf(p, s), ""
	d.Env, problem = resolveEnv(s.Environment, mounted)
	refuse(problem)
	d.Argv, problem = plainCommand(s.Command, d.Env)
	refuse(problem)
	d.Login = infra.LoginOf(d.Kind.family().protocol, d.Argv, d.Env)
	refuse(d.publish(s.Ports))
	if d.Kind == postgres {
		d.Init, problem = mounted.initScripts()
		refuse(problem)
	}
	if d.Options, problem = d.Kind.family().readOptions(d.Argv, mounted); problem != "" {
		refuse("command: " + problem)
	}
	d.Networks = map[string]string{}
	for key := range s.Networks {
		d.Networks[p.Networks[key].Name] = networkID(p.Networks[key].Name)
	}
	for _, v := range s.Volumes {
		if named, known := p.Volumes[v.Source]; known && v.Type == types.VolumeTypeVolume {
			d.Mounts = append(d.Mounts, infra.Mount{Volume: named.Name, Target: v.Target})
		}
	}
	return d, refused
}

// needContainer are the keys of a service that only a container can have. Others that mean nothing here are left out.
func needContainer(s types.ServiceConfig) (refused []string) {
	for problem, present := range map[string]bool{
		"its name begins with a dot": strings.HasPrefix(s.Name, "."),
		"entrypoint: there is no container to run it in": slices.ContainsFunc(s.Entrypoint, func(w string) bool {
			return !strings.Contains(w, "docker-entrypoint")
		}),
		"scale: one server per service":                                    s.GetScale() != 1,
		"build: the server of this host is not the image that is built":    s.Build != nil,
		"pre_start, post_start, pre_stop: there is no container to run in": len(s.PreStart)+len(s.PostStart)+len(s.PreStop) > 0,
	} {
		if present {
			refused = append(refused, problem)
		}
	}
	slices.Sort(refused)
	return refused
}

// publish reads where the server listens on this host.
func (d *definition) publish(ports []types.ServicePortConfig) (problem string) {
	d.HostIP = "127.0.0.1"
	for n, p := range ports {
		if n > 0 {
			return "ports: the server listens on one port"
		}
		if int(p.Target) != d.Login.Port || p.Protocol != "" && p.Protocol != "tcp" {
			return fmt.Sprintf("ports: %d/%s is not the server's port, which is %d", p.Target, p.Protocol, d.Login.Port)
		}
		if p.HostIP != "" {
			d.HostIP = p.HostIP
		}
		if low, high, ranged := strings.Cut(p.Published, "-"); ranged {
			d.Low, _ = strconv.Atoi(low)
			d.High, _ = strconv.Atoi(high)
		} else {
			d.Port, _ = strconv.Atoi(p.Published)
		}
	}
	return ""
}

// resolveEnv fills in what variables with the ending _FILE point to, as the images do.
func resolveEnv(environment types.MappingWithEquals, files files) (env map[string]string, problem string) {
	env = map[string]string{}
	for key, value := range environment {
		if value != nil {
			env[key] = *value
		}
	}
	for key, at := range env {
		name, isFile := strings.CutSuffix(key, "_FILE")
		if !isFile || at == "" {
			continue
		}
		text, err := files.read(at)
		if err != nil {
			problem = fmt.Sprintf("%s: %v", key, err)
			continue
		}
		delete(env, key)
		env[name] = strings.TrimRight(text, "\n")
	}
	return env, problem
}

// plainCommand is the command without a shell around it. One that needs a shell has no place to run in.
func plainCommand(command []string, env map[string]string) (argv []string, problem string) {
	argv = infra.Words(command, env)
	if len(command) > 0 && !slices.Equal(argv, command) && strings.ContainsAny(command[len(command)-1], "`;|&<>\n(") {
		return nil, "command: a shell script needs a container"
	}
	if len(argv) > 0 && argv[0] == "exec" {
		argv = argv[1:]
	}
	return argv, ""
}

// files are what a container would see, by its paths: bind mounts, secrets and configs.
type files map[string]source

// source is a path of the host, or a text.
type source struct {
	path string
	text string
}

func filesOf(p *types.Project, s types.ServiceConfig) files {
	out := files{}
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind {
			out[path.Clean(v.Target)] = source{path: v.Source}
		}
	}
	add := func(base string, ref types.FileReferenceConfig, what types.FileObjectConfig) {
		out[infra.FileTarget(ref, base)] = source{path: what.File, text: what.Content}
	}
	for _, r := range s.Secrets {
		add("/run/secrets", types.FileReferenceConfig(r), types.FileObjectConfig(p.Secrets[r.Source]))
	}
	for _, r := range s.Configs {
		add("/", types.FileReferenceConfig(r), types.FileObjectConfig(p.Configs[r.Source]))
	}
	return out
}

// onHost is the host's path of a container's; false: it is only in the image.
func (f files) onHost(at string) (string, bool) {
	for dir := path.Clean(at); ; dir = path.Dir(dir) {
		if s, ok := f[dir]; ok && s.path != "" {
			return filepath.Join(s.path, strings.TrimPrefix(path.Clean(at), dir)), true
		}
		if dir == path.Dir(dir) {
			return "", false
		}
	}
}

func (f files) read(at string) (string, error) {
	if s, ok := f[path.Clean(at)]; ok && s.path == "" {
		return s.text, nil
	}
	host, ok := f.onHost(at)
	if !ok {
		return "", fmt.Errorf("%s is only in the image", at)
	}
	b, err := os.ReadFile(host)
	return string(b), err
}

const initDir = "/docker-entrypoint-initdb.d"

// initScripts are the files that the image of postgres runs in a new database, in order.
func (f files) initScripts() (out []string, problem string) {
	for at, s := range f {
		if at != initDir && !strings.HasPrefix(at, initDir+"/") {
			continue
		}
		if s.path == "" {
			return nil, initDir + ": a file with inline content is not run natively"
		}
		found := []string{s.path}
		if isDir(s.path) {
			entries, err := os.ReadDir(s.path)
			if err != nil {
				return nil, fmt.Sprintf("%s: %v", initDir, err)
			}
			found = nil
			for _, e := range entries {
				found = append(found, filepath.Join(s.path, e.Name()))
			}
		}
		out = append(out, found...)
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for _, file := range out {
		if !strings.HasSuffix(file, ".sql") {
			return nil, fmt.Sprintf("%s: only *.sql is run natively, not %s", initDir, filepath.Base(file))
		}
	}
	return out, ""
}
