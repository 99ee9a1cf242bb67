package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devstack/stack"
)

// manifest is what of a package.json matters.
type manifest struct {
	PackageManager string            `json:"packageManager"`
	Engines        map[string]string `json:"engines"`
	Scripts        map[string]string `json:"scripts"`
	Main           json.RawMessage   `json:"main"`
	Module         json.RawMessage   `json:"module"`
	Exports        json.RawMessage   `json:"exports"`
	Imports        json.RawMessage   `json:"imports"`
	Bin            json.RawMessage   `json:"bin"`
}

// Look reads a workspace's manifests and lock file. A workspace that no image can be built from is stack.Errors.
func Look(dir string) (Workspace, error) {
	root, err := readManifest(dir, ".")
	if err != nil {
		return Workspace{}, err
	}
	ws := Workspace{Files: []string{"package.json"}}
	lock, err := ws.manager(dir, root)
	if err != nil {
		return Workspace{}, err
	}
	data, err := os.ReadFile(filepath.Join(dir, lock))
	if err != nil {
		return Workspace{}, fmt.Errorf("cannot read the lock file: %w", err)
	}
	if ws.Packages, err = parseLock(ws.Manager, lock, data); err != nil {
		return Workspace{}, err
	}
	for i := range ws.Packages {
		m, err := readManifest(dir, ws.Packages[i].Dir)
		if err != nil {
			return Workspace{}, err
		}
		if dir := ws.Packages[i].Dir; !plain.MatchString(dir) || strings.HasPrefix(dir, "..") {
			return Workspace{}, refuse(ws.Packages[i].Dir, "no image can have this path", "keep it in the workspace, and name it with letters, digits, . _ @ + and -")
		}
		for _, script := range []string{"preinstall", "install", "postinstall", "prepare"} {
			ws.Packages[i].Scripts = ws.Packages[i].Scripts || m.Scripts[script] != ""
		}
		for _, entry := range [][]byte{m.Main, m.Module, m.Exports, m.Imports, m.Bin} {
			ws.Packages[i].Source = ws.Packages[i].Source || bytes.Contains(entry, []byte(`"src/`)) || bytes.Contains(entry, []byte(`"./src/`))
		}
	}
	ws.Node = nodeVersion(dir, root)
	return ws, ws.otherFiles(dir, lock)
}

func refuse(file, message, hint string) error {
	return stack.Errors{{File: file, Message: message, Hint: hint}}
}

func readManifest(dir, pkg string) (manifest, error) {
	var m manifest
	file := path.Join(pkg, "package.json")
	data, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return m, refuse(file, "it is not there, and images are built from npm and pnpm workspaces", "build the images yourself, and give their references")
	}
	if err != nil {
		return m, fmt.Errorf("cannot read a manifest: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, refuse(file, err.Error(), "")
	}
	return m, nil
}

var exactManager = regexp.MustCompile(`^([a-z]+)@([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?)(?:\+.*)?$`)

// manager fills in who installs, and is the name of its lock file.
func (ws *Workspace) manager(dir string, root manifest) (string, error) {
	has := func(file string) bool { _, err := os.Stat(filepath.Join(dir, file)); return err == nil }
	if root.PackageManager != "" {
		match := exactManager.FindStringSubmatch(root.PackageManager)
		if match == nil {
			return "", refuse("package.json", "packageManager is not NAME@VERSION: "+root.PackageManager, `write "npm@VERSION" or "pnpm@VERSION"`)
		}
		ws.Manager, ws.Version = match[1], match[2]
	}
	switch {
	case ws.Manager == "" && has("package-lock.json"):
		ws.Manager = "npm"
	case ws.Manager == "" && has("pnpm-lock.yaml"):
		return "", refuse("package.json", "it does not say which pnpm wrote pnpm-lock.yaml", `write "packageManager": "pnpm@VERSION"`)
	}
	lock := map[string]string{"npm": "package-lock.json", "pnpm": "pnpm-lock.yaml"}[ws.Manager]
	if lock == "" {
		return "", refuse("package.json", "images are built by npm or pnpm, and neither has a lock file here", "build the images yourself, and give their references")
	}
	if !has(lock) {
		return "", refuse(lock, "it is not there", "install once with "+ws.Manager+", and commit it")
	}
	return lock, nil
}

var (
	token    = regexp.MustCompile(`(?m)^[^#;\n]*(?:_authToken|_auth|_password)\s*=\s*(.*)$`)
	variable = regexp.MustCompile(`^["']?\$\{([A-Za-z_][A-Za-z0-9_]*)\??\}["']?\s*$`)
)

// otherFiles are those beside package.json that installing needs.
func (ws *Workspace) otherFiles(dir, lock string) error {
	ws.Files = append(ws.Files, lock)
	for _, name := range []string{".npmrc", "pnpm-workspace.yaml", "patches"} {
		if name == "pnpm-workspace.yaml" && ws.Manager != "pnpm" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			continue
		}
		ws.Files = append(ws.Files, name)
	}
	if slices.Contains(ws.Files, ".npmrc") {
		data, err := os.ReadFile(filepath.Join(dir, ".npmrc"))
		if err != nil {
			return fmt.Errorf("cannot read the registry's settings: %w", err)
		}
		for _, value := range token.FindAllStringSubmatch(string(data), -1) {
			name := variable.FindStringSubmatch(value[1])
			if name == nil {
				return refuse(".npmrc", "there is a secret in it, and the build's layers would have it", "write ${NPM_TOKEN} in its place")
			}
			if !slices.Contains(ws.Tokens, name[1]) {
				ws.Tokens = append(ws.Tokens, name[1])
			}
		}
	}
	return nil
}

const newestNode = 24 // of the lines with long-term support

var (
	exactNode = regexp.MustCompile(`^v?([0-9]+(?:\.[0-9]+){0,2})\s*$`)
	rangeNode = regexp.MustCompile(`^([~^>]=?|)\s*v?([0-9]+)(?:\.[0-9x*]+){0,2}$`)
)

// nodeVersion is what .nvmrc or .node-version says, or the newest that package.json's engines allow, where they are plain.
func nodeVersion(dir string, root manifest) string {
	for _, name := range []string{".nvmrc", ".node-version"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			if match := exactNode.FindSubmatch(data); match != nil {
				return string(match[1])
			}
		}
	}
	if match := rangeNode.FindStringSubmatch(strings.TrimSpace(root.Engines["node"])); match != nil {
		least, err := strconv.Atoi(match[2])
		if err == nil && (!strings.HasPrefix(match[1], ">") || least > newestNode) {
			return match[2]
		}
	}
	return strconv.Itoa(newestNode)
}
