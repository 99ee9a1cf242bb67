package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devstack/daemon/api"
)

// trust lets a file be evaluated: because it was allowed before with this very content, because the caller says so, or
// because somebody at the terminal does. What is allowed is remembered by the hash of the content; what the file loads
// itself is not part of that.
func (f *Factory) trust(path string, given bool) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return &api.Error{Exit: api.ExitFiles, Message: "cannot read the file: " + err.Error()}
	}
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	home, err := f.home()
	if err != nil {
		return err
	}
	list := filepath.Join(home, "trusted")
	known, err := os.ReadFile(list)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("cannot read which files you allowed before: %w", err)
	}
	if slices.Contains(strings.Fields(string(known)), hash) {
		return nil
	}
	if !given && !f.IO.InTTY {
		return &api.Error{
			Exit: api.ExitUsage, Message: "cannot import " + path + ": it is a program, your node runs it only if you allow that, and there is no terminal to ask you on",
			Hint: "read it, then: devstack import --trust " + path,
		}
	}
	if !given && !f.ask(fmt.Sprintf("Run %s with your node, to read what it exports? It can do all that you can.", path)) {
		return &api.Error{Exit: api.ExitUsage, Message: "cannot import " + path + ": you did not allow to run it"}
	}
	return remember(list, hash)
}

// home is where states of all projects are.
func (f *Factory) home() (string, error) {
	if home := f.Getenv("DEVSTACK_HOME"); home != "" {
		return filepath.Abs(home)
	}
	user, err := os.UserHomeDir()
	return filepath.Join(user, ".devstack"), err
}

// ask asks somebody at the terminal; anything but yes is no.
func (f *Factory) ask(question string) bool {
	fmt.Fprint(f.IO.Err, question+" [y/N] ")
	answer, _ := bufio.NewReader(f.IO.In).ReadString('\n') // an end without an answer is no
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer)))
}

func remember(list, hash string) error {
	if err := os.MkdirAll(filepath.Dir(list), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(list, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("cannot remember that you allowed it: %w", err)
	}
	defer file.Close()
	_, err = fmt.Fprintln(file, hash)
	return err
}
