package rehearse

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"devstack/profiles/prod"
)

// trial makes the stack do its work: a program beside it, in its network, that knows every workload's URL by its name.
func (p *project) trial(ctx context.Context) {
	workloads := p.Export.Model.Workloads
	i := slices.IndexFunc(workloads, prod.Workload.HasNode)
	if p.Trial == "" || i < 0 {
		p.add("stack", "pipeline", NotProven, 0, "nobody gave a program that makes it do its work")
		return
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, trialLimit, errors.New("it took longer than "+trialLimit.String()))
	defer cancel()
	args := []string{"run", "--rm", "--label", p.label(), "--network", p.name + "_default"}
	for _, v := range trialEnvironment(workloads) {
		args = append(args, "-e", v)
	}
	out, err := docker(ctx, append(args, p.Images[workloads[i].App], "node", "--input-type=module", "-e", p.Trial)...)
	if err != nil {
		p.add("stack", "pipeline", Failed, time.Since(began), "%v%s", err, lastLines(out, 8))
		return
	}
	p.add("stack", "pipeline", Passed, time.Since(began), "%s", strings.TrimSpace(lastLines(out, 1)))
}

// trialEnvironment are the URLs of all workloads that listen: WEB_API_URL of web-api.
func trialEnvironment(workloads []prod.Workload) []string {
	var out []string
	for _, w := range workloads {
		for _, port := range w.Ports {
			name := strings.ToUpper(strings.ReplaceAll(w.Name, "-", "_")) + "_URL"
			out = append(out, name+"="+port.Name+"://"+w.Name+":"+strconv.Itoa(port.Number))
		}
	}
	return out
}
