package stack

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// PM2Key is devstack's name of an app's key in PM2's ecosystem file, whichever of PM2's spellings it has. An empty name:
// devstack has no such key, and why says so; where why is empty, too, PM2 does not know the key either.
func PM2Key(key string) (name, why string) {
	name = snake(key)
	if target := pm2Aliases[name]; target != "" {
		name = target
	}
	if slices.Contains(appKeyNames(), name) || name == "name" {
		return name, ""
	}
	return "", pm2LeftOut[snake(key)]
}

// CheckSetting says whether an app may have this value of a key as Load reads it.
func CheckSetting(key string, value *yaml.Node) error {
	p := &problems{}
	d := &definition{problems: p}
	for _, k := range appKeys {
		if k.name == key {
			k.set(d, value)
		}
	}
	if len(p.found) == 0 {
		return nil
	}
	return p.found[0]
}
