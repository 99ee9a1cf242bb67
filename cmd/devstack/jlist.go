package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
)

// JlistOptions is what `devstack jlist` was asked for: nothing.
type JlistOptions struct{ *Factory }

func newCmdJlist(f *Factory, runF func(context.Context, *JlistOptions) error) *cobra.Command {
	o := &JlistOptions{f}
	return &cobra.Command{
		Use:     "jlist",
		Short:   "List processes in PM2's JSON shape, without environment values",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), o)
			}
			return jlistRun(cmd.Context(), o)
		},
	}
}

func jlistRun(ctx context.Context, o *JlistOptions) error {
	p, err := o.Project()
	if err != nil {
		return err
	}
	list := []pm2Process{}
	state, err := o.Running(ctx, p)
	if err == nil {
		list, err = o.pm2List(ctx, p, state)
	}
	if err != nil && !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.IO.Out, "%s\n", data)
	return err
}

// pm2Process is one element of `pm2 jlist`.
type pm2Process struct {
	Pid   int    `json:"pid"` // 0: none
	Name  string `json:"name"`
	PmID  int    `json:"pm_id"`
	Monit monit  `json:"monit"`
	Env   pm2Env `json:"pm2_env"`
}

type monit struct {
	Memory int64   `json:"memory"` // bytes
	CPU    float64 `json:"cpu"`    // percent of one core
}

type pm2Env struct {
	Name             string   `json:"name"`
	Namespace        string   `json:"namespace"`
	PmID             int      `json:"pm_id"`
	Status           string   `json:"status"`
	ExecMode         string   `json:"exec_mode"`
	Instance         int      `json:"NODE_APP_INSTANCE"`
	PmUptime         int64    `json:"pm_uptime"`  // epoch of the last start, ms
	CreatedAt        int64    `json:"created_at"` // the same
	RestartTime      int      `json:"restart_time"`
	UnstableRestarts int      `json:"unstable_restarts"`
	Watch            bool     `json:"watch"`
	Cwd              string   `json:"pm_cwd"`
	ExecPath         string   `json:"pm_exec_path"`
	Args             []string `json:"args"`
	OutLog           string   `json:"pm_out_log_path"`
	ErrLog           string   `json:"pm_err_log_path"`
	MaxMemory        *int64   `json:"max_memory_restart,omitempty"`
	ExitCode         *int     `json:"exit_code,omitempty"` // of the last exit; absent before it, and after a death by signal
}

// pm2List asks for each app's paths, which the state does not hold.
func (o *JlistOptions) pm2List(ctx context.Context, p *project, state *api.State) ([]pm2Process, error) {
	list := []pm2Process{}
	details := map[int]api.ProcessDetails{}
	described := map[string]bool{}
	for _, process := range state.Processes {
		if !described[process.Name] {
			described[process.Name] = true
			d, err := o.Client(p).Describe(ctx, process.Name)
			if err != nil {
				return nil, err
			}
			for _, detail := range d.Process {
				details[detail.ID] = detail
			}
		}
		list = append(list, toPM2(process, details[process.ID]))
	}
	return list, nil
}

func toPM2(p api.Process, d api.ProcessDetails) pm2Process {
	out := pm2Process{Name: p.Name, PmID: p.ID}
	if p.Pid != nil {
		out.Pid = *p.Pid
	}
	if p.MemoryBytes != nil {
		out.Monit.Memory = *p.MemoryBytes
	}
	if p.CPUPercent != nil {
		out.Monit.CPU = *p.CPUPercent
	}
	out.Env = pm2Env{
		Name: p.Name, Namespace: p.Namespace, PmID: p.ID, Status: pm2Status(p.Status), ExecMode: p.ExecMode + "_mode", Instance: p.Instance,
		RestartTime: p.Restarts, UnstableRestarts: p.UnstableRestarts, Watch: p.Watching,
		Cwd: d.Cwd, OutLog: d.OutFile, ErrLog: d.ErrorFile, MaxMemory: d.MaxMemoryBytes, Args: []string{},
	}
	if len(d.Command) > 0 {
		out.Env.ExecPath, out.Env.Args = d.Command[0], d.Command[1:]
	}
	if p.StartedAt != nil {
		out.Env.PmUptime = p.StartedAt.UnixMilli()
		out.Env.CreatedAt = out.Env.PmUptime
	}
	if p.Exit != nil {
		out.Env.ExitCode = p.Exit.Code
	}
	return out
}

// pm2Status is the status in PM2's words, which know no waiting.
func pm2Status(status string) string {
	if status == "waiting" {
		return "launching"
	}
	return status
}
