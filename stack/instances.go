package stack

import (
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// originInstance is the origin of variables that tell an instance which one it is.
const originInstance = "instance"

// Count is how many instances an app has; at least one.
func (a App) Count() int { return max(1, a.Instances) }

// Instance is the definition of the app's n-th process, counted from 0: its number in InstanceVar, IncrementVar raised
// by it (PORT: the port, too), and log files of its own, unless MergeLogs is set. Instances with the same port share one
// socket where HoldsSockets, else each binds it for itself.
func (a App) Instance(n int) App {
	environment := make([]Variable, 0, len(a.Environment)+1)
	for _, v := range a.Environment {
		if v.Key != a.InstanceVar && v.Key != a.IncrementVar {
			environment = append(environment, v)
		}
	}
	if a.InstanceVar != "" {
		environment = append(environment, Variable{Key: a.InstanceVar, Value: strconv.Itoa(n), Origin: originInstance})
	}
	if v, ok := a.incremented(n); ok {
		environment = append(environment, v)
		if v.Key == "PORT" && a.Port != 0 {
			a.Port += n
		}
	}
	slices.SortFunc(environment, func(x, y Variable) int { return strings.Compare(x.Key, y.Key) })
	a.Environment = environment
	if n > 0 && !a.MergeLogs {
		a.OutFile, a.ErrorFile, a.LogFile = numbered(a.OutFile, n), numbered(a.ErrorFile, n), numbered(a.LogFile, n)
	}
	return a
}

// incremented is IncrementVar for the n-th instance; a variable that is not set begins at 0, as in PM2.
func (a App) incremented(n int) (Variable, bool) {
	if a.IncrementVar == "" {
		return Variable{}, false
	}
	v := Variable{Key: a.IncrementVar, Value: "0", Origin: originInstance}
	for _, set := range a.Environment {
		if set.Key == a.IncrementVar {
			v = set
		}
	}
	base, err := strconv.Atoi(v.Value)
	if err != nil {
		return v, true // connect has refused it; whatever it is, it is not lost
	}
	v.Value = strconv.Itoa(base + n)
	return v, true
}

// numbered is a log file of the n-th instance: -n before the extension.
func numbered(path string, n int) string {
	if path == "" || path == "/dev/null" {
		return path
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + strconv.Itoa(n) + ext
}

// instances is n, max for one per processor, or -n for all processors but n; at least one.
func (d *definition) instances(n *yaml.Node) int {
	cpus := runtime.NumCPU()
	if n.Kind == yaml.ScalarNode && n.Value == "max" {
		d.PerCPU = true
		return cpus
	}
	v := d.integer(n, "instances", -math.MaxInt32, maxInstances)
	if v == 0 {
		d.at(n, "instances must be at least 1, or max, or -n for all processors but n; not 0").Hint = "autostart: false keeps an app from starting"
	}
	if v < 0 {
		d.PerCPU = true
		return max(1, cpus+v)
	}
	return v
}

// maxInstances is more than a machine has use for: a slip of the finger.
const maxInstances = 1000

// execMode is fork or cluster: in both, instances are processes of their own, and share a held socket.
func (d *definition) execMode(n *yaml.Node, what string) string {
	return strings.TrimSuffix(d.oneOf(n, what, "fork", "cluster", "fork_mode", "cluster_mode"), "_mode")
}

// variableName is the name of an environment variable.
func (d *definition) variableName(n *yaml.Node, what string) string {
	v := d.text(n, what)
	if strings.ContainsAny(v, "= \t\x00") {
		d.at(n, "%s: %q is not the name of a variable", what, v)
	}
	return v
}

// checkInstances reports variables that cannot be counted up, and says what several instances on one port mean.
func (d *definition) checkInstances() (warning string) {
	if d.ExecMode == "" {
		d.ExecMode = "fork"
		if d.Count() > 1 {
			d.ExecMode = "cluster"
		}
	}
	if d.IncrementVar != "" {
		for _, v := range d.Environment {
			if v.Key != d.IncrementVar {
				continue
			}
			if _, err := strconv.Atoi(v.Value); err != nil {
				d.at(d.node, "app %q: increment_var %s needs a whole number to begin with, not %q", d.Name, v.Key, Mask(v.Key, v.Value))
			}
		}
	}
	return d.SharedPort()
}
