package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// EmptyLog truncates a log and removes its rotated files. The keeper's writer appends and looks at the size before
// every write, so it goes on at the beginning and leaves no hole. A log that is not there is empty.
func EmptyLog(stateDir, path string) error {
	backups, err := Backups(path)
	if err != nil {
		return fmt.Errorf("cannot empty %s: %w", path, err)
	}
	for _, b := range backups {
		if err := os.Remove(b); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot empty %s: %w", path, err)
		}
	}
	if err := os.Truncate(path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot empty %s: %w", path, err)
	}
	indexes, err := filepath.Glob(filepath.Join(indexDir(stateDir, path), "*.idx"))
	if err != nil {
		return err
	}
	for _, index := range indexes { // without an index the lines have no time, which is all that is lost if this fails
		_ = os.Truncate(index, 0)
	}
	return nil
}
