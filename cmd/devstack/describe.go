package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"devstack/cmd/devstack/format"
	"devstack/daemon/api"
	"devstack/view"
)

// DescribeOptions is what `devstack describe` was asked for.
type DescribeOptions struct {
	*Factory
	Name string
	JSON bool
	Now  func() time.Time
}

func newCmdDescribe(f *Factory, runF func(context.Context, *DescribeOptions) error) *cobra.Command {
	o := &DescribeOptions{Factory: f, Now: time.Now}
	cmd := &cobra.Command{
		Use:               "describe NAME",
		Aliases:           []string{"show", "info", "desc"},
		Short:             "Show everything known about an app or a service",
		GroupID:           groupLook,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return describeRun(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}

func describeRun(ctx context.Context, o *DescribeOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	if err := o.checkName(ctx, p); err != nil {
		return needsStack(p, err)
	}
	d, err := o.Client(p).Describe(ctx, o.Name)
	if err != nil {
		return needsStack(p, err)
	}
	if o.JSON {
		return writeJSON(o.IO.Out, d)
	}
	fmt.Fprint(o.IO.Out, renderDescription(d, o.Now(), o.IO.OutStyle()))
	return nil
}

// sheet is text in sections of aligned pairs.
type sheet struct {
	strings.Builder
	style
}

func (s *sheet) section(title string) { fmt.Fprintf(s, "%s\n", s.bold(title)) }

// pair is a line of a section; an empty value is left out.
func (s *sheet) pair(key, value string) {
	if value != "" {
		fmt.Fprintf(s, "  %s  %s\n", s.dim(pad(key, 18)), printable(value))
	}
}

func renderDescription(d *api.Description, now time.Time, c style) string {
	s := &sheet{style: c}
	if d.Service != nil {
		s.service(*d.Service, now)
	}
	for i, p := range d.Process {
		if i > 0 {
			s.WriteString("\n")
		}
		s.process(p, now)
	}
	return s.String()
}

func (s *sheet) service(d view.ServiceDetails, now time.Time) {
	s.section(d.Name + " (service)")
	s.pair("status", serviceStatus(d.Service))
	s.pair("detail", d.Detail)
	if d.StoppedBy != "" {
		s.pair("stopped by", stopper(d.StoppedBy))
	}
	s.pair("ready", readiness(d.Ready, d.ReadyBy))
	s.pair("engine health", d.EngineHealth)
	if d.Driver == "native" {
		s.pair("server", "native, of this machine")
	} else {
		s.pair("container", d.ContainerName)
	}
	s.pair("id", string(d.ID))
	s.pair("image", d.Image)
	s.pair("up", format.Uptime(d.StartedAt, d.State == "running", now))
	s.pair("restarts", strconv.Itoa(d.Restarts))
	s.usage(d.CPUPercent, d.MemoryBytes, nil)
	for _, p := range d.Ports {
		s.pair("port", fmt.Sprintf("%s -> %d/%s", address(p.HostIP, p.HostPort), p.ContainerPort, p.Protocol))
	}
	s.pair("volumes", strings.Join(d.Volumes, ", "))
	if d.Driver != "native" { // whose servers are on loopback
		s.pair("networks", strings.Join(d.Networks, ", "))
	}
	s.dependencies(d.DependsOn)
	s.probes(d.Probes, now)
	s.exits(d.Exits, now)
}

func (s *sheet) process(d api.ProcessDetails, now time.Time) {
	s.section(format.Instance(d.Name, d.Instance) + " (process)")
	s.pair("status", string(d.Status))
	s.pair("waits for", strings.Join(d.WaitingFor, ", "))
	s.pair("ready", readyText(d.Process))
	if d.NextRestartAt != nil {
		s.pair("next restart", "in "+elapsed(d.NextRestartAt.Sub(now)))
	}
	if d.Watching {
		s.pair("watching", "files; a change restarts it")
	}
	if d.CronRestart != "" && d.NextCronAt != nil {
		s.pair("cron restart", string(d.CronRestart)+", next in "+elapsed(d.NextCronAt.Sub(now)))
	}
	if d.Pid != nil {
		s.pair("pid", strconv.Itoa(*d.Pid))
	}
	s.reload(d)
	s.pair("children", joinInts(d.Children))
	s.pair("up", format.Uptime(d.StartedAt, d.Pid != nil, now))
	s.pair("restarts", fmt.Sprintf("%d, %d in a row after unstable exits (limit %s)", d.Restarts, d.UnstableRestarts, limit(d.MaxRestarts)))
	s.pair("restarted by", causes(d.RestartsBy.Counts()))
	s.usage(d.CPUPercent, d.MemoryBytes, d.MaxMemoryBytes)
	for _, link := range d.Links {
		s.pair("url", string(link.URL))
	}
	for _, p := range d.Ports {
		s.pair("port", address(p.Host, p.Port)+inspects(d.Links, p.Port))
	}
	s.pair("held sockets", joinAddresses(d.Held))
	s.pair("id, namespace", fmt.Sprintf("%d, %s", d.ID, d.Namespace))
	s.pair("exec mode", d.ExecMode)
	s.pair("command", strings.Join(d.Command, " "))
	s.pair("cwd", d.Cwd)
	s.pair("out log", d.OutFile)
	s.pair("error log", d.ErrorFile)
	s.pair("combined log", d.LogFile)
	s.dependencies(d.DependsOn)
	s.environment(d.Environment)
	s.probes(d.Probes, now)
	s.exits(d.Exits, now)
}

// reload is the other launch while a reload replaces one by the other.
func (s *sheet) reload(d api.ProcessDetails) {
	if n := d.Successor; n != nil {
		state := "launching"
		if n.Ready {
			state = "ready"
		}
		if n.Pid != nil {
			state = fmt.Sprintf("pid %d, %s", *n.Pid, state)
		}
		s.pair("successor", state)
	}
	if d.RetiringPid != nil {
		s.pair("retiring", fmt.Sprintf("pid %d", *d.RetiringPid))
	}
}

// inspects says of a port that a debugger answers there.
func inspects(links []api.Link, port int) string {
	if slices.ContainsFunc(links, func(l api.Link) bool { return l.Port == port && l.Kind == api.LinkInspector }) {
		return " (inspector)"
	}
	return ""
}

func (s *sheet) usage(percent *float64, bytes, maxBytes *int64) {
	if bytes != nil {
		s.pair("memory", format.Size(*bytes)+memoryLimit(maxBytes))
	}
	if percent != nil {
		s.pair("cpu", fmt.Sprintf("%.1f%%", *percent))
	}
}

func (s *sheet) dependencies(all []view.DependsOn) {
	if len(all) > 0 {
		s.section("depends on")
	}
	for _, d := range all {
		state := "met"
		if !d.Open {
			state = "not met"
		}
		s.pair(d.Name, d.Condition+", "+state)
	}
}

func (s *sheet) environment(all []api.EnvironmentItem) {
	if len(all) > 0 {
		s.section("environment (declared keys, secrets masked)")
	}
	for _, item := range all {
		s.pair(item.Key, item.Value+"  ("+item.Origin+")")
	}
}

func (s *sheet) probes(all []view.Probe, now time.Time) {
	if len(all) > 0 {
		s.section("last probes")
	}
	for _, p := range all {
		verdict := "ready"
		if !p.Ready {
			verdict = "not ready"
		}
		s.pair(format.Age(now.Sub(p.At))+" ago", strings.TrimSuffix(verdict+": "+p.Detail, ": "))
	}
}

func (s *sheet) exits(all []view.ExitRecord, now time.Time) {
	if len(all) > 0 {
		s.section("exits, the last one at the end")
	}
	for _, e := range all {
		s.pair(format.Age(now.Sub(e.At))+" ago", e.Exit.Ending()+" after "+elapsed(time.Duration(e.UptimeMS)*time.Millisecond))
		s.pair("", string(e.Cause))
		for _, line := range e.LastLines {
			fmt.Fprintf(s, "  %s  %s\n", pad("", 18), excerpt(line, s.style))
		}
	}
}

// causes is "crash 2, watch 1"; empty before the first restart.
func causes(counts []view.Count) string {
	var parts []string
	for _, c := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", c.Cause, c.Count))
	}
	return strings.Join(parts, ", ")
}

// readyText is what READY rests on, or what it waits for.
func readyText(p view.Process) string {
	if !p.Ready && p.ReadyBy != "" {
		return "no, waits for " + string(p.ReadyBy)
	}
	return readiness(p.Ready, p.ReadyBy)
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func joinAddresses(all []view.Address) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, address(p.Host, p.Port))
	}
	return strings.Join(texts, ", ")
}

func limit(n int) string {
	if n < 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

func memoryLimit(bytes *int64) string {
	if bytes == nil {
		return ""
	}
	return " (restarted above " + format.Size(*bytes) + ")"
}

func joinInts(ns []int) string {
	var texts []string
	for _, n := range ns {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, ", ")
}
