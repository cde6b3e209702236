package media

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startPair starts a shell that starts a sleeper, and tells the sleeper's number.
func startPair(t *testing.T, ctx context.Context, script string) (*Child, int) {
	t.Helper()
	cmd := Command(ctx, "/bin/sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c, err := StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return c, pid
}

// ended waits until a process is gone, or is a zombie that nobody reaps.
func ended(t *testing.T, pid int) {
	t.Helper()
	for range 200 {
		out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if err != nil || strings.HasPrefix(strings.TrimSpace(string(out)), "Z") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

func TestKillTakesTheGroup(t *testing.T) {
	c, pid := startPair(t, t.Context(), "sleep 100 & echo $!; wait")
	if group, err := syscall.Getpgid(pid); err != nil || group != c.Pid() {
		t.Errorf("the grandchild is in group %d, %v", group, err)
	}
	c.Kill()
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("wait: %v", err)
	}
	ended(t, pid)
	c.Kill() // nothing happens any more
	if err := c.Wait(); !errors.As(err, &exit) {
		t.Errorf("second wait: %v", err)
	}
}

func TestContextTakesTheGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, pid := startPair(t, ctx, "sleep 100 & echo $!; wait")
	cancel()
	if err := c.Wait(); err == nil {
		t.Error("a killed child ended well")
	}
	ended(t, pid)
}

// A child that ends and leaves something behind takes it along.
func TestWaitTakesWhatIsLeft(t *testing.T) {
	c, pid := startPair(t, t.Context(), "sleep 100 >/dev/null 2>&1 & echo $!")
	if err := c.Wait(); err != nil {
		t.Errorf("wait: %v", err)
	}
	ended(t, pid)
}

func TestChildInheritsNothing(t *testing.T) {
	t.Setenv("VEIL_SECRET", "x")
	cmd := Command(t.Context(), "/usr/bin/env")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c, err := StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil || string(text) != "LC_ALL=C\n" {
		t.Errorf("environment %q, %v", text, err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := StartChild(Command(t.Context(), "/none/at/all")); err == nil {
		t.Error("started nothing")
	}
}
