package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"devstack/daemon/api"
	"devstack/view"
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
	err = o.checkName(ctx, p)
	var processes []api.ListedProcess
	if err == nil {
		processes, err = o.Client(p).Processes(ctx)
	}
	if errors.Is(err, api.ErrNotRunning) {
		err = elsewhere(ctx, p)
	}
	if err != nil {
		return err
	}
	list := make([]pm2Process, 0, len(processes))
	for _, process := range processes {
		list = append(list, toPM2(process))
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.IO.Out, "%s\n", data)
	return err
}

// pm2Process is one element of `pm2 jlist`. What PM2 says of itself alone (versioning, axm_*, pmx, unique_id) is absent, and
// so are pid files, which devstack does not write.
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
	Instances        int      `json:"instances"`
	Instance         int      `json:"NODE_APP_INSTANCE"`
	PmUptime         int64    `json:"pm_uptime"`  // epoch of the last start, ms
	CreatedAt        int64    `json:"created_at"` // epoch of the first start since the last one by hand, ms
	RestartTime      int      `json:"restart_time"`
	UnstableRestarts int      `json:"unstable_restarts"`
	Watch            bool     `json:"watch"`
	Autostart        bool     `json:"autostart"`
	Autorestart      bool     `json:"autorestart"`
	Cwd              string   `json:"pm_cwd"`
	ExecPath         string   `json:"pm_exec_path"`
	Interpreter      string   `json:"exec_interpreter"`
	NodeArgs         []string `json:"node_args"`
	Args             []string `json:"args"`
	OutLog           string   `json:"pm_out_log_path"`
	ErrLog           string   `json:"pm_err_log_path"`
	MergeLogs        bool     `json:"merge_logs"`
	MaxMemory        *int64   `json:"max_memory_restart,omitempty"`
	ExitCode         *int     `json:"exit_code,omitempty"` // of the last exit; absent before it, and after a death by signal
}

func toPM2(p api.ListedProcess) pm2Process {
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
		Name: p.Name, Namespace: p.Namespace, PmID: p.ID, Status: pm2Status(p.Status), ExecMode: p.ExecMode + "_mode",
		Instances: p.Instances, Instance: p.Instance, RestartTime: p.Restarts, UnstableRestarts: p.UnstableRestarts,
		Watch: p.Watching, Autostart: p.Autostart, Autorestart: p.Autorestart,
		Cwd: p.Cwd, ExecPath: p.Script, Interpreter: p.Interpreter, NodeArgs: p.NodeArgs, Args: p.Args,
		OutLog: p.OutFile, ErrLog: p.ErrorFile, MergeLogs: p.MergeLogs, MaxMemory: p.MaxMemoryBytes,
	}
	if len(p.Command) > 0 {
		out.Env.ExecPath, out.Env.Args = p.Command[0], append(p.Command[1:], p.Args...)
	}
	if out.Env.Interpreter == "" {
		out.Env.Interpreter = "none"
	}
	if p.StartedAt != nil {
		out.Env.PmUptime = p.StartedAt.UnixMilli()
	}
	if p.CreatedAt != nil {
		out.Env.CreatedAt = p.CreatedAt.UnixMilli()
	}
	if p.Exit != nil {
		out.Env.ExitCode = p.Exit.Code
	}
	return out
}

// pm2Status is the status in PM2's words, which know no waiting.
func pm2Status(status view.Status) string {
	if status == view.Waiting {
		return string(view.Launching)
	}
	return string(status)
}
