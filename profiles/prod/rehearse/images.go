package rehearse

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"devstack/profiles/prod"
	"devstack/profiles/prod/export"
)

// buildImages builds the image of every app that has none yet, from the exported Dockerfile and a copy of the workspace
// with secrets lying about. Their tags are this run's alone.
func (s *session) buildImages(ctx context.Context) error {
	for _, w := range s.export.Model.Workloads {
		if w.Image.Reference != "" {
			s.images[w.App] = w.Image.Reference
		}
	}
	if len(s.images) == len(s.export.Model.Workloads) {
		return nil
	}
	o := s.o.Export
	o.Dir = filepath.Join(s.export.Stack.Dir, "deploy", "image")
	rendered, err := export.Render(ctx, "image", o)
	if err != nil {
		return err
	}
	build := filepath.Join(s.dir, "context")
	if err := copyWorkspace(filepath.Join(s.export.Stack.Dir, filepath.FromSlash(s.export.Model.Build.Context)), build); err != nil {
		return fmt.Errorf("cannot copy the workspace: %w", err)
	}
	i := slices.IndexFunc(rendered.Files, func(f prod.File) bool { return f.Path == "Dockerfile" })
	if err := os.WriteFile(filepath.Join(build, "Dockerfile"), rendered.Files[i].Data, 0o644); err != nil {
		return err
	}
	if err := plant(build); err != nil {
		return err
	}
	for _, w := range s.export.Model.Workloads {
		if s.images[w.App] != "" {
			continue
		}
		s.step("building the image of %s", w.Name)
		tag := s.run + "/" + w.Name + ":rehearsal"
		args := []string{"build", "-q", "--target", w.Name, "-t", tag}
		if s.o.Base != "" {
			args = append(args, "--build-arg", "BUILD_IMAGE="+s.o.Base, "--build-arg", "RUNTIME_IMAGE="+s.o.Base)
		}
		if _, err := docker(ctx, append(args, build)...); err != nil {
			return fmt.Errorf("cannot build the image of %s: %w", w.Name, err)
		}
		s.images[w.App] = tag
		s.built = append(s.built, tag)
	}
	return nil
}

// copyWorkspace copies what the images are built from. What an install or a build makes anew, and git's own, is left out.
func copyWorkspace(from, to string) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains([]string{"node_modules", ".git", ".devstack", "dist", "coverage"}, entry.Name()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
}

// plant leaves secrets where developers have them: beside the lock file and in every package.
func plant(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "package.json" {
			return err
		}
		for _, name := range []string{".env", ".env.local", "key.pem"} {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte("SECRET="+planted+"\n"), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
}
