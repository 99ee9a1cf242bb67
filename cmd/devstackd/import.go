package main

import (
	"context"
	"os"
	"path/filepath"

	"devstack/daemon/api"
	"devstack/stack"
	"devstack/stack/draft"
)

// runImport drafts ecosystem.yaml from PM2's ecosystem file, whose evaluation the user has allowed.
func runImport(ctx context.Context, c *command, args []string) error {
	out := c.flags.String("out", "", "the file to write; empty: standard output")
	if err := c.parse(args); err != nil {
		return err
	}
	if c.flags.NArg() != 1 {
		return &api.Error{Exit: api.ExitUsage, Message: "import needs one file"}
	}
	path, err := filepath.Abs(c.flags.Arg(0))
	if err != nil {
		return err
	}
	a, err := exported(ctx, path, c.stderr)
	if err != nil {
		return err
	}
	file := draft.PM2File{Path: path, JSON: a.Exports, Dir: filepath.Dir(path), Environment: map[string]string{}}
	for _, name := range a.Read {
		file.Environment[name] = os.Getenv(name)
	}
	if *out != "" {
		file.Dir = filepath.Dir(*out)
	}
	d, err := draft.FromPM2(file)
	if err != nil {
		return &api.Error{Exit: api.ExitFiles, Message: err.Error()}
	}
	say(c, d)
	if *out != "" {
		if err := writeDraft(*out, d); err != nil {
			return err
		}
		if err := writeSchema(file.Dir); err != nil {
			return err
		}
		return reads(ctx, c, *out)
	}
	if _, err := c.stdout.Write(d.Text); err != nil {
		return err
	}
	return readsElsewhere(ctx, d)
}

// readsElsewhere says whether a draft that is not written anywhere can be loaded.
func readsElsewhere(ctx context.Context, d *draft.Draft) error {
	dir, err := os.MkdirTemp("", "devstack-import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ecosystem.yaml")
	if err := os.WriteFile(file, d.Text, 0o600); err != nil {
		return err
	}
	_, err = stack.Load(ctx, stack.Options{File: file, Environment: os.Environ()})
	return err
}
