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
)

// runInit drafts ecosystem.yaml for a directory, and writes it unless there is one.
func runInit(ctx context.Context, c *command, args []string) error {
	dir := c.flags.String("dir", ".", "the workspace")
	dryRun := c.flags.Bool("dry-run", false, "print it, write nothing")
	if err := c.parse(args); err != nil {
		return err
	}
	root, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	d, err := draft.Workspace(root)
	if err != nil {
		return &api.Error{Exit: api.ExitFiles, Message: err.Error(), Hint: "write an ecosystem.yaml with a list of apps: devstack schema lists the keys"}
	}
	say(c, d)
	if *dryRun {
		_, err := c.stdout.Write(d.Text)
		return err
	}
	file := filepath.Join(root, "ecosystem.yaml")
	if err := writeDraft(file, d); err != nil {
		return err
	}
	if err := writeSchema(root); err != nil {
		fmt.Fprintln(c.stderr, "note: editors get no schema:", err)
	}
	fmt.Fprintln(c.stderr, "wrote", file)
	return reads(ctx, c, file)
}

// say tells what a draft is made of, and what it does not have.
func say(c *command, d *draft.Draft) {
	for _, line := range d.Found {
		fmt.Fprintln(c.stderr, "found:", line)
	}
	for _, line := range d.Lost {
		fmt.Fprintln(c.stderr, "left out:", line)
	}
}

// writeDraft makes a new file; one that is there stays, whichever of the two names it has.
func writeDraft(file string, d *draft.Draft) error {
	for _, name := range []string{file, filepath.Join(filepath.Dir(file), "ecosystem.yaml"), filepath.Join(filepath.Dir(file), "ecosystem.yml")} {
		if _, err := os.Lstat(name); err == nil {
			return &api.Error{Exit: api.ExitUsage, Message: name + " is there already, and stays as it is", Hint: "look at the draft alone: devstack init --dry-run, devstack import FILE"}
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return &api.Error{Exit: api.ExitUsage, Message: "there is no directory " + filepath.Dir(file)}
	}
	if err != nil {
		return fmt.Errorf("cannot write the draft: %w", err)
	}
	_, err = f.Write(d.Text)
	return errors.Join(err, f.Close())
}

// reads says whether the files can be loaded as they are; what is wrong is for people to correct.
func reads(ctx context.Context, c *command, file string) error {
	if _, err := stack.Load(ctx, stack.Options{File: file, Environment: os.Environ()}); err != nil {
		return err
	}
	fmt.Fprintln(c.stderr, "next:  devstack up")
	return nil
}
