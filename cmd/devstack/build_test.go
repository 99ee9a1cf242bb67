// The tests of this folder drive the two executables as a person does: real binaries, real containers, real processes.
package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// TestMain removes the executables that binaries has built.
func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(binariesDir())
	os.Exit(code)
}

// binaries builds devstack and devstackd side by side, as they are installed, once per test run. It returns their
// directory: put it first in PATH.
var binaries = sync.OnceValues(func() (string, error) {
	build := exec.Command("go", "build", "-o", binariesDir()+"/", "./cmd/devstack", "./cmd/devstackd")
	build.Dir = repository
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the executables: %w\n%s", err, output)
	}
	return binariesDir(), nil
})

// repository is the root of this repository, seen from the directory in which Go runs the tests.
const repository = "../.."

func binariesDir() string {
	return filepath.Join(os.TempDir(), "devstack-test-"+strconv.Itoa(os.Getpid()))
}
