package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Confine is the child's half: it sets its limits and puts all its threads under the filter. It is called before anything
// from outside is read, and cannot be taken back.
func Confine(l Limits) error {
	limits := map[int]uint64{unix.RLIMIT_FSIZE: l.FileSize, unix.RLIMIT_CPU: l.CPU}
	for what, most := range limits {
		if most == 0 {
			continue
		}
		if err := lower(what, most); err != nil {
			return err
		}
	}
	if err := NoCore(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// The first process of a namespace has no parent that it could see.
	return filterAll(unix.Getppid())
}

// NoCore refuses core files: they would hold pictures.
func NoCore() error { return lower(unix.RLIMIT_CORE, 0) }

// lower sets both halves of a limit, never above what is already there.
func lower(what int, most uint64) error {
	var have unix.Rlimit
	if err := unix.Getrlimit(what, &have); err != nil {
		return fmt.Errorf("read limit: %w", err)
	}
	most = min(most, have.Max)
	if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("set limit: %w", err)
	}
	return nil
}
