package prod

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"devstack/stack"
)

// shellOnly are the characters that only a shell understands: a line without them is its words.
const shellOnly = "|&;<>()$`\\\"'*?[]#~=%!{}\n\r\t"

// secretHeader finds a header of HTTP that says who asks; it may be made of a variable.
var secretHeader = regexp.MustCompile(`(?i)\b(?:authorization|cookie|x-api-key|x-auth-token)\s*:(.*)`)

// argv is a command as production runs it: a line that needs no shell is its words, and a secret on a command line is
// refused, since every definition and every process list shows it.
func (d *deriver) argv(subject, key string, command []string) []string {
	out := slices.Clone(command)
	shown := out
	if len(out) == 3 && out[0] == "/bin/sh" && out[1] == "-c" {
		shown = strings.Fields(out[2])
		if !strings.ContainsAny(out[2], shellOnly) {
			out = shown
		}
	}
	header := secretHeader.FindStringSubmatch(strings.Join(shown, " "))
	if !slices.Equal(shown, stack.MaskArgs(shown)) || header != nil && !strings.Contains(header[1], "$") {
		d.refuse(subject, key, "there seems to be a secret on the command line", "pass it in a variable, and name that in env or required_env")
	}
	return out
}

// runsShell says that a command needs a shell.
func runsShell(argv []string) bool {
	return len(argv) > 0 && slices.Contains([]string{"sh", "bash"}, path.Base(argv[0]))
}

// imagePath is a file of the workspace inside the image.
func (d *deriver) imagePath(file string) (string, bool) {
	rel, ok := inside(d.root, file)
	return path.Join(ImageDir, rel), ok
}

// relocate moves words that are absolute paths of the workspace into the image. What names the workspace in another way
// is refused: no other machine has it.
func (d *deriver) relocate(subject, key string, words []string) []string {
	out := slices.Clone(words)
	for i, word := range out {
		if filepath.IsAbs(word) {
			if moved, ok := d.imagePath(word); ok {
				out[i] = moved
				continue
			}
		}
		if len(d.st.Dir) > 1 && strings.Contains(word, d.st.Dir+"/") {
			d.refuse(subject, key, "it names a path of this machine", "write it relative to cwd")
		}
	}
	return out
}

// command fills in what is run, where, and which program the image must bring.
func (a *account) command() {
	subject := AppSubject(a.app.Name)
	dir, ok := a.imagePath(a.app.Cwd)
	if !ok {
		a.refuse(subject, "cwd", "it is outside of the workspace "+a.st.Rel(a.root)+", and an image contains only the workspace", "move it there, or build from a directory that holds it")
	}
	a.w.WorkDir = dir
	if a.app.Script == "" {
		a.w.Command = a.relocate(subject, "command", a.argv(subject, "command", a.app.Command))
		a.w.Command[0], a.w.Runtime = a.program(a.w.Command[0], a.app.Command[0])
		return
	}
	script, ok := a.imagePath(a.app.Script)
	if !ok {
		a.refuse(subject, "script", "it is outside of the workspace "+a.st.Rel(a.root)+", and an image contains only the workspace", "move it there")
	}
	args := a.relocate(subject, "args", a.argv(subject, "args", a.app.Args))
	if a.app.Interpreter == "none" {
		a.w.Command = append([]string{script}, args...)
		return
	}
	if rel, below := inside(a.app.Cwd, a.app.Script); below {
		script = rel
	}
	program, runtime := a.program(a.app.Interpreter, a.app.Interpreter)
	a.w.Runtime = runtime
	a.w.Command = slices.Concat([]string{program}, a.relocate(subject, "node_args", a.argv(subject, "node_args", a.app.NodeArgs)), []string{script}, args)
}

// program is how an image names a program: one of the workspace by its path there, any other by its name alone, which
// the image must bring.
func (a *account) program(word, asWritten string) (program, runtime string) {
	if filepath.IsAbs(asWritten) {
		if moved, ok := a.imagePath(asWritten); ok {
			return moved, ""
		}
		if asWritten == "/bin/sh" && word == asWritten {
			return word, "sh"
		}
	}
	switch {
	case !strings.Contains(word, "/"):
		return word, word
	case filepath.IsAbs(word):
		return path.Base(word), path.Base(word)
	}
	return path.Join(a.w.WorkDir, filepath.ToSlash(word)), ""
}
