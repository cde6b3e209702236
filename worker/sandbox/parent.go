package sandbox

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// HideParent keeps this process's memory and environment from other processes of the same user, and its open files from its
// children. It is done once, early; what has started before keeps what it got.
func HideParent() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide this process: %w", err)
	}
	// What the caller of this program left open would otherwise reach every child.
	err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("mark open files: %w", err)
	}
	return nil
}

// Hidden reports whether HideParent's first half is in force.
func Hidden() bool {
	n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	return err == nil && n == 0
}
