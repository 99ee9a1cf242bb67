package daemon

import (
	"fmt"
	"os"
)

// allowed is nil for this user and for root.
func allowed(uid uint32) error {
	if uid == 0 || uid == uint32(os.Getuid()) {
		return nil
	}
	return fmt.Errorf("user %d is not the owner of this stack", uid)
}
