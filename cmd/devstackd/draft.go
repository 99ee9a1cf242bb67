package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"devstack/daemon/api"
	"devstack/stack"
	"devstack/stack/draft"
	"devstack/view"
)

// init drafts ecosystem.yaml for a directory, and writes it unless there is one.
func (o *once) init(ctx context.Context, r api.InitRequest, tell func(view.Event)) (*api.Draft, error) {
	d, err := draft.Workspace(r.Dir)
	if err != nil {
		return nil, &api.Error{Exit: api.ExitFiles, Message: err.Error(), Hint: "write an ecosystem.yaml with a list of apps: devstack schema lists the keys"}
	}
	answer := &api.Draft{Found: d.Found, Lost: d.Lost, Text: string(d.Text)}
	if r.DryRun {
		return answer, nil
	}
	return answer, write(ctx, answer, filepath.Join(r.Dir, "ecosystem.yaml"), tell)
}

// importPM2 drafts ecosystem.yaml from PM2's ecosystem file, whose evaluation the user has allowed.
func (o *once) importPM2(ctx context.Context, r api.ImportRequest, tell func(view.Event)) (*api.Draft, error) {
	a, err := exported(ctx, r.File)
	if err != nil {
		return nil, err
	}
	file := draft.PM2File{Path: r.File, JSON: a.Exports, Dir: filepath.Dir(r.File), Environment: map[string]string{}}
	for _, name := range a.Read {
		file.Environment[name] = os.Getenv(name)
	}
	if r.Out != "" {
		file.Dir = filepath.Dir(r.Out)
	}
	d, err := draft.FromPM2(file)
	if err != nil {
		return nil, &api.Error{Exit: api.ExitFiles, Message: err.Error()}
	}
	answer := &api.Draft{Found: d.Found, Lost: d.Lost, Text: string(d.Text)}
	if r.Out != "" {
		return answer, write(ctx, answer, r.Out, tell)
	}
	return answer, loadElsewhere(ctx, d.Text)
}

// write makes the file of a draft, with the schema that its first line names, and loads it as it then is: what is wrong is
// for people to correct.
func write(ctx context.Context, answer *api.Draft, file string, tell func(view.Event)) error {
	if err := create(file, answer.Text); err != nil {
		return err
	}
	answer.Wrote = file
	if err := writeSchema(filepath.Dir(file)); err != nil {
		tell(view.Event{Kind: view.KindWarning, Message: fmt.Sprintf("cannot write the schema for editors: %v", err)})
	}
	_, err := stack.Load(ctx, stack.Options{File: file, Environment: os.Environ()})
	answer.Loads = err == nil
	return err
}

// create makes a new file; one that is there stays, whichever of the two names it has.
func create(file, text string) error {
	for _, name := range []string{file, filepath.Join(filepath.Dir(file), "ecosystem.yaml"), filepath.Join(filepath.Dir(file), "ecosystem.yml")} {
		if _, err := os.Lstat(name); err == nil {
			return &api.Error{
				Exit: api.ExitUsage, Message: fmt.Sprintf("cannot write %s: %s is there already, and stays as it is", file, name),
				Hint: "look at the draft alone: devstack init --dry-run, devstack import FILE",
			}
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return usage("cannot write %s: there is no directory %s", file, filepath.Dir(file))
	}
	if err != nil {
		return fmt.Errorf("cannot write the draft: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// writeSchema puts the schema where the first line of a draft says that it is.
func writeSchema(root string) error {
	schema, err := indented(stack.Schema())
	if err != nil {
		return err
	}
	dir := filepath.Join(root, ".devstack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "schema.json"), []byte(schema.Text), 0o644)
}

// loadElsewhere says whether a draft that is not written anywhere can be loaded.
func loadElsewhere(ctx context.Context, text []byte) error {
	dir, err := os.MkdirTemp("", "devstack-import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ecosystem.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	_, err = stack.Load(ctx, stack.Options{File: file, Environment: os.Environ()})
	return err
}
