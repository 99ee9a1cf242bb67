package docker

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"devstack/infra"
)

// elsewhere are the keys that make no difference to the container itself, and what happens to them.
var elsewhere = map[string]string{
	"Name":              "is the service's name",
	"Profiles":          "decides whether the service is enabled, when the file is loaded",
	"Attach":            "is about the output of docker compose up",
	"Develop":           "is about docker compose watch",
	"Extends":           "is resolved when the file is loaded",
	"EnvFiles":          "is resolved into environment when the file is loaded",
	"LabelFiles":        "is resolved into labels when the file is loaded",
	"CustomLabels":      "is where docker compose keeps what infra.ContainerLabels makes",
	"DependsOn":         "decides in the plan",
	"PullPolicy":        "decides in the plan",
	"Scale":             "is 1, anything else is refused",
	"Deploy.Replicas":   "is 1, anything else is refused",
	"Ports.Name":        "is for people",
	"Ports.AppProtocol": "is for people",
	"Ports.Mode":        "is about clusters; compose-go fills it in",
	"Networks.Priority": "decides which network comes first",
	"Secrets.Source":    "names the secret", "Configs.Source": "names the config",
	"Volumes.Image":       "belongs to a type that is refused",
	"HealthCheck.Disable": "replaces the test",
}

// values are what fields hold whose type alone does not tell.
var values = map[string]any{
	"DNS": types.StringList{"10.0.0.53"}, "Expose": types.StringOrNumberList{"81"}, "SecurityOpt": []string{"no-new-privileges"},
	"NetworkMode": "host", "Restart": "always", "Ports.HostIP": "127.0.0.1", "Ports.Protocol": "udp",
	"Networks.Ipv4Address": "10.0.0.2", "Networks.Ipv6Address": "fd00::2", "Networks.LinkLocalIPs": []string{"169.254.1.1"},
	"Deploy.Mode": "global", "Deploy.RestartPolicy.Condition": "any", "Volumes.Type": "npipe", "Volumes.Bind.Recursive": "disabled",
	"Volumes.Bind.CreateHostPath": types.OptOut(false), "Scale": ptr(2), "Deploy.Replicas": ptr(2), "HealthCheck.Test": types.HealthCheckTest{"CMD", "other"},
}

func ptr[T any](v T) *T { return &v }

// ground is a service in which a field of the given path can mean something.
func ground(path string) types.ServiceConfig {
	s := types.ServiceConfig{Name: "s"}
	s.Image = "image"
	s.Networks = map[string]*types.ServiceNetworkConfig{"default": {}}
	switch first, _, _ := strings.Cut(path, "."); first {
	case "Ports":
		s.Ports = []types.ServicePortConfig{{Target: 80, Protocol: "tcp"}}
	case "HealthCheck":
		s.HealthCheck = &types.HealthCheckConfig{Test: types.HealthCheckTest{"CMD", "true"}, StartPeriod: ptr(types.Duration(1))}
	case "Secrets":
		s.Secrets = []types.ServiceSecretConfig{{Source: "part"}}
	case "Configs":
		s.Configs = []types.ServiceConfigObjConfig{{Source: "part"}}
	case "Volumes":
		v := types.ServiceVolumeConfig{Type: "bind", Source: "/a", Target: "/b", Bind: &types.ServiceVolumeBind{CreateHostPath: true}}
		if strings.HasPrefix(path, "Volumes.Volume") {
			v = types.ServiceVolumeConfig{Type: "volume", Source: "data", Target: "/b", Volume: &types.ServiceVolumeVolume{}}
		}
		if strings.HasPrefix(path, "Volumes.Tmpfs") || path == "Volumes.Consistency" {
			v = types.ServiceVolumeConfig{Type: "tmpfs", Target: "/b", Tmpfs: &types.ServiceVolumeTmpfs{}}
		}
		s.Volumes = []types.ServiceVolumeConfig{v}
	}
	return s
}

// leaves are the paths of all settings below a type, without x- extensions.
func leaves(t reflect.Type, path string) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if e := t.Elem(); e.Kind() == reflect.Struct || e.Kind() == reflect.Pointer && e.Elem().Kind() == reflect.Struct {
			return leaves(e, path)
		}
		return []string{path}
	case reflect.Struct:
	default:
		return []string{path}
	}
	var out []string
	for n := range t.NumField() {
		f := t.Field(n)
		below := strings.TrimPrefix(path+"."+f.Name, ".")
		switch {
		case f.Name == "Extensions" || !f.IsExported():
		case f.Anonymous:
			out = append(out, leaves(f.Type, path)...)
		case deep[f.Type]:
			out = append(out, leaves(f.Type, below)...)
		default:
			out = append(out, below)
		}
	}
	return out
}

// deep are the nested definitions that are looked at key by key; the others are mapped, or refused, as a whole.
var deep = map[reflect.Type]bool{
	reflect.TypeFor[*types.DeployConfig]():                    true,
	reflect.TypeFor[types.Resources]():                        true,
	reflect.TypeFor[*types.Resource]():                        true,
	reflect.TypeFor[*types.RestartPolicy]():                   true,
	reflect.TypeFor[*types.HealthCheckConfig]():               true,
	reflect.TypeFor[[]types.ServicePortConfig]():              true,
	reflect.TypeFor[[]types.ServiceVolumeConfig]():            true,
	reflect.TypeFor[*types.ServiceVolumeBind]():               true,
	reflect.TypeFor[*types.ServiceVolumeVolume]():             true,
	reflect.TypeFor[*types.ServiceVolumeTmpfs]():              true,
	reflect.TypeFor[map[string]*types.ServiceNetworkConfig](): true,
	reflect.TypeFor[[]types.ServiceSecretConfig]():            true,
	reflect.TypeFor[[]types.ServiceConfigObjConfig]():         true,
	reflect.TypeFor[*types.LoggingConfig]():                   true,
	reflect.TypeFor[[]types.DeviceMapping]():                  true,
}

// set puts a value at a path, and makes what is missing on the way.
func set(v reflect.Value, path []string, value any) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if len(path) > 0 {
			set(v.Elem(), path, value)
			return
		}
	case reflect.Slice:
		if len(path) > 0 {
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			}
			set(v.Index(0), path, value)
			return
		}
	case reflect.Map:
		if len(path) > 0 {
			set(v.MapIndex(reflect.ValueOf("default")), path, value)
			return
		}
	}
	if len(path) > 0 {
		set(v.FieldByName(path[0]), path[1:], value)
		return
	}
	if value != nil {
		v.Set(reflect.ValueOf(value))
		return
	}
	fill(v)
}

// fill gives a value that is not the zero one.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("something")
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for n := range v.NumField() {
			if f := v.Type().Field(n); f.IsExported() && f.Name != "Extensions" {
				fill(v.Field(n))
			}
		}
	}
}

// described is everything that the engine is told about a service, but for the labels that hash it.
func described(s types.ServiceConfig) (string, error) {
	p := &types.Project{
		Name: "p", Services: types.Services{"s": s}, Networks: types.Networks{"default": {Name: "p_default"}}, Volumes: types.Volumes{"data": {Name: "p_data"}},
		Secrets: types.Secrets{"part": {Content: "x"}}, Configs: types.Configs{"part": {Content: "x"}},
	}
	out, err := translateService(p, s)
	if err != nil {
		return "", err
	}
	endpoint, err := endpointSettings(p, s, "default")
	if err != nil {
		return "", err
	}
	labels, err := infra.ContainerLabels(infra.Create{Project: p, Service: s})
	if err != nil {
		return "", err
	}
	delete(labels, infra.LabelHash)
	delete(labels, infra.LabelDependsOn)
	data, err := json.Marshal([]any{out.config, out.host, fmt.Sprint(out.files), endpoint, labels, infra.ContainerName(p.Name, s)})
	return string(data), err
}

func TestEveryKeyOfAServiceIsDoneOrRefused(t *testing.T) {
	seen := map[string]bool{}
	all := leaves(reflect.TypeFor[types.ServiceConfig](), "")
	if len(all) < 130 {
		t.Fatalf("only %d keys were found", len(all))
	}
	for _, path := range all {
		reason := ""
		for known, why := range elsewhere {
			if path == known || strings.HasPrefix(path, known+".") {
				reason, seen[known] = why, true
			}
		}
		before, after := ground(path), ground(path)
		set(reflect.ValueOf(&after).Elem(), strings.Split(path, "."), values[path])
		want, err := described(before)
		if err != nil {
			t.Fatalf("%s: the ground is bad: %v", path, err)
		}
		got, err := described(after)
		refused := err != nil || len(refusedKeys(after)) > 0
		switch done := err == nil && got != want; {
		case done && refused && path != "Volumes.Type":
			t.Errorf("%s is refused although it is done", path)
		case !done && !refused && reason == "":
			t.Errorf("%s is silently dropped", path)
		}
	}
	for known := range elsewhere {
		if !seen[known] {
			t.Errorf("%s is not a key any more", known)
		}
	}
}
