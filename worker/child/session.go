package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// endWait is how long the rest of a session may take to die after SIGKILL.
const endWait = 10 * time.Second

var adopt sync.Once

// adoptOrphans makes this process the one that inherits what its children leave, so that it can reap it.
func adoptOrphans() {
	adopt.Do(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })
}

// endSession kills every process of a session whose leader is dead, and returns when none is left.
func endSession(id int) error {
	deadline := time.Now().Add(endWait)
	for {
		alive := 0
		members, err := session(id)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.parent == os.Getpid() && m.state == 'Z' {
				_, _ = unix.Wait4(m.pid, nil, unix.WNOHANG, nil)
			}
			if m.state != 'Z' && m.state != 'X' {
				alive++
				_ = unix.Kill(m.pid, unix.SIGKILL)
			}
		}
		if alive == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("processes are left that do not die")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// process is one line of the process table.
type process struct {
	pid, parent int
	state       byte
}

// session lists the processes of a session.
func session(id int) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var members []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // gone meanwhile
		}
		// The name in brackets may hold anything; the fields after it do not: state, parent, group, session.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) < 4 || len(f[0]) != 1 {
			continue
		}
		if s, err := strconv.Atoi(string(f[3])); err != nil || s != id {
			continue
		}
		parent, _ := strconv.Atoi(string(f[1]))
		members = append(members, process{pid: pid, parent: parent, state: f[0][0]})
	}
	return members, nil
}
