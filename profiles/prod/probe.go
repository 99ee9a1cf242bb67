package prod

import (
	"slices"
	"strconv"
)

const (
	// askHTTP ends with 0 for an answer of 200 to 399, as devstack's own probe judges.
	askHTTP = "fetch(process.argv[1],{redirect:'manual',signal:AbortSignal.timeout(+process.argv[2])})" +
		".then(r=>process.exit(r.status>=200&&r.status<400?0:1),()=>process.exit(1))"
	askTCP = "import('node:net').then(n=>n.connect(+process.argv[1],'127.0.0.1')" +
		".setTimeout(+process.argv[2],()=>process.exit(1)).on('connect',()=>process.exit(0)).on('error',()=>process.exit(1)))"
)

// HasNode says whether the workload's image has Node.js.
func (w Workload) HasNode() bool {
	return slices.Contains([]string{"node", "nodejs", "npm", "npx", "pnpm", "yarn", "tsx"}, w.Runtime)
}

// ProbeArgv is the probe as a command inside the workload's container, for targets that cannot ask from outside: an argv
// without a shell and without a character that any target would expand. Nil when there is no probe, or when asking needs
// Node.js and the image has none.
func (w Workload) ProbeArgv() []string {
	p := w.Probe
	if p == nil {
		return nil
	}
	milliseconds := strconv.FormatInt(p.Timeout.Milliseconds(), 10)
	switch {
	case p.Kind == Exec:
		return slices.Clone(p.Command)
	case !w.HasNode():
		return nil
	case p.Kind == HTTP:
		return []string{"node", "-e", askHTTP, p.Scheme + "://127.0.0.1:" + strconv.Itoa(p.Port) + p.Path, milliseconds}
	}
	return []string{"node", "-e", askTCP, strconv.Itoa(p.Port), milliseconds}
}
