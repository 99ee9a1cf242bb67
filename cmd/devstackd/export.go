package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"devstack/daemon/api"
	"devstack/profiles/prod"
	"devstack/profiles/prod/drift"
	"devstack/profiles/prod/export"
	"devstack/view"
)

// export writes production definitions, or says how those on disk stand.
func (o *once) export(ctx context.Context, r api.ExportRequest, _ func(view.Event)) (*api.Export, error) {
	if err := o.production("export"); err != nil {
		return nil, err
	}
	dir := r.Dir
	if dir == "" {
		dir = filepath.Join(filepath.Dir(o.files.File), "deploy", r.Target)
	}
	e, err := export.Render(ctx, r.Target, export.Options{
		Load: o.loadOptions(r.Set), Model: prod.Options{Images: r.Images, Containers: r.Containers}, Dir: dir,
		Publish: r.Publish, EC2: r.EC2, GroupWorkers: r.GroupWorkers, Parameters: r.Set, Autoscale: r.Autoscale,
	})
	if err != nil {
		return nil, err
	}
	answer, err := exportAnswer(r, dir, e.Report)
	if err != nil {
		return nil, err
	}
	if losses := e.Report.Losses(); r.Strict && len(losses) > 0 {
		return answer, &api.Error{
			Exit: api.ExitLosses, Message: fmt.Sprintf("cannot export without a loss: %d keys would lose something; nothing was written", len(losses)),
			Hint: "change them for the prod profile, or export without --strict",
		}
	}
	if !r.Check {
		if answer.Changed, err = writeExport(r, dir, e.Files); err != nil {
			return refusedExport(answer, err)
		}
	}
	statuses, err := drift.Check(dir, r.Target, e.Files)
	if err != nil {
		return nil, err
	}
	answer.Changed = append([]string{}, answer.Changed...)
	answer.State, answer.Files = string(drift.Worst(statuses)), exportedFiles(statuses)
	if r.Check {
		return answer, &api.Error{Exit: api.Code(drift.Worst(statuses).Exit())}
	}
	return answer, nil
}

// production refuses another profile than prod.
func (o *once) production(command string) error {
	if p := o.files.Profile; p != "" && p != "prod" {
		return usage("cannot %s the profile %s: only prod is for production", command, p)
	}
	return nil
}

// loadOptions are how production definitions read the files: with these values, and none of this shell.
func (o *once) loadOptions(set map[string]string) prod.LoadOptions {
	load := prod.LoadOptions{File: o.files.File, Project: o.files.Project}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		load.Params = append(load.Params, name+"="+set[name])
	}
	return load
}

func exportAnswer(r api.ExportRequest, dir string, report prod.Report) (*api.Export, error) {
	data, err := json.Marshal(report)
	if err != nil {
		return nil, err
	}
	return &api.Export{Target: r.Target, Dir: dir, Changed: []string{}, Files: []api.ExportedFile{}, Report: data, Summary: report.Text(r.All)}, nil
}

func writeExport(r api.ExportRequest, dir string, files []prod.File) ([]string, error) {
	if r.Adopt {
		return drift.ExportAdopting(dir, r.Target, files, nil)
	}
	return drift.Export(dir, r.Target, files)
}

// refusedExport names the files that are in the way, and shows what somebody did to them.
func refusedExport(answer *api.Export, err error) (*api.Export, error) {
	var refused *drift.Error
	if !errors.As(err, &refused) {
		return nil, err
	}
	answer.State, answer.Files, answer.Summary = string(drift.Worst(refused.Refused)), exportedFiles(refused.Refused), ""
	return answer, &api.Error{Exit: api.Code(refused.Exit()), Message: refused.Error(), Hint: refused.Refused[0].Fix}
}

func exportedFiles(statuses []drift.Status) []api.ExportedFile {
	files := []api.ExportedFile{}
	for _, s := range statuses {
		files = append(files, api.ExportedFile{
			Path: s.Path, State: string(s.State), Action: string(s.Action), Reason: s.Reason, Diff: s.Diff, Fix: s.Fix,
		})
	}
	return files
}
