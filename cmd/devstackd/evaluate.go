package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"devstack/daemon/api"
)

// evaluation hands out what a module exports, and which variables it has read, on a descriptor of its own: the module may
// print what it likes.
const evaluation = `
const {pathToFileURL} = require('node:url')
const read = new Set()
process.env = new Proxy(process.env, {get: (env, name) => { read.add(name); return env[name] }})
const plain = (_, v) => v instanceof RegExp ? {regular_expression: v.source} : typeof v === 'bigint' ? String(v) : v
import(pathToFileURL(process.argv[1])).then((m) => {
  require('node:fs').writeFileSync(3, JSON.stringify({exports: m.default ?? m, read: [...read].map(String)}, plain))
  process.exit(0)
}).catch((e) => {
  console.error(e instanceof Error ? e.stack : e)
  process.exit(1)
})`

// evaluationTime is how long an ecosystem file may compute.
const evaluationTime = 30 * time.Second

// answer is what evaluation hands out.
type answer struct {
	Exports json.RawMessage `json:"exports"`
	Read    []string        `json:"read"` // names of variables
}

// exported is what PM2's ecosystem file exports. Scripts are run by the user's own Node.js, and by nothing else. What they
// print is for the user: it goes to the standard error that devstack shares with this process.
func exported(ctx context.Context, path string) (answer, error) {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return answer{}, &api.Error{Exit: api.ExitFiles, Message: "cannot read " + path + ": there is no such file"}
	}
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		data, err := os.ReadFile(path)
		return answer{Exports: data}, err
	case ".json":
		data, err := os.ReadFile(path)
		if err != nil {
			return answer{}, err
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			return answer{}, &api.Error{Exit: api.ExitFiles, Message: fmt.Sprintf("cannot read %s as JSON: %v", path, err), Hint: "PM2 reads it as JavaScript: rename it to .cjs, with module.exports = before it"}
		}
		return answer{Exports: compact.Bytes()}, nil
	}
	data, err := evaluate(ctx, path)
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("cannot read what node wrote about %s: %w", path, err)
	}
	return a, nil
}

func evaluate(ctx context.Context, path string) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, evaluationTime)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.CommandContext(limited, "node", "-e", evaluation, "--", path)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = filepath.Dir(path), os.Stderr, os.Stderr, []*os.File{w}
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	w.Close()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, &api.Error{Exit: api.ExitEnvironment, Message: "cannot evaluate " + path + ": it is JavaScript, and node is not on PATH", Hint: "install Node.js 18 or newer"}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot run node: %w", err)
	}
	data, readErr := io.ReadAll(r)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, &api.Error{Exit: api.ExitFiles, Message: fmt.Sprintf("cannot evaluate %s: node has not finished within %s", path, evaluationTime)}
	case err != nil:
		return nil, &api.Error{Exit: api.ExitFiles, Message: fmt.Sprintf("cannot evaluate %s: node: %v", path, err)}
	}
	return data, readErr
}
