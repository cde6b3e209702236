// Package bundle_test checks what `make bundle` packs as far as that is possible without building an archive: the units, the
// scripts, and what install.sh says and refuses, with an archive of empty packages. The rehearsal of the whole is
// `make rehearse-bundle`.
package bundle_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// need gives the path of a program that `make test` installs.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: run `make test`", program)
		}
		t.Skipf("%s is missing: `make test` installs it", program)
	}
	return path
}

// mustRun runs a command and gives what it printed.
func mustRun(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

func units(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("files/units/*.service")
	if err != nil || len(all) != 4 {
		t.Fatalf("%d units: %v", len(all), err)
	}
	return all
}

// TestUnitsAreSound has systemd read the units. The programs are not installed here, so another one stands for them.
func TestUnitsAreSound(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	dir := t.TempDir()
	for _, unit := range append(units(t), "files/units/veil.target") {
		data, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile(`(?m)^(Exec\w+)=/usr/\S+`).ReplaceAllString(string(data), "$1=/bin/true")
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(unit)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range []string{"veil-worker@1.service", "veil-watch@inbox.service", "veil-nats.service", "veil-store.service", "veil.target"} {
		cmd := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", unit)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "veil") {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

// mostExposed is the exposure, in tenths, that no unit may reach.
const mostExposed = 30

func TestUnitsAreHardened(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	for _, unit := range units(t) {
		path, err := filepath.Abs(unit)
		if err != nil {
			t.Fatal(err)
		}
		out := mustRun(t, ".", analyze, "security", "--no-pager", "--offline=true", path)
		found := regexp.MustCompile(`Overall exposure level for \S+: (\d+)\.(\d)`).FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("%s: no level in\n%s", unit, out)
		}
		level, err := strconv.Atoi(found[1] + found[2])
		if err != nil || level >= mostExposed {
			t.Errorf("%s: exposure %s.%s, wanted below %d.%d: %v", unit, found[1], found[2], mostExposed/10, mostExposed%10, err)
		}
		t.Logf("%s: %s.%s", unit, found[1], found[2])
	}
}

// TestGraceFitsTheUnit holds the time that systemd waits for a worker against the time that the worker takes.
func TestGraceFitsTheUnit(t *testing.T) {
	data, err := os.ReadFile("files/units/veil-worker@.service")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)min$`).FindSubmatch(data)
	source, err := os.ReadFile("../../worker/worker.go")
	if err != nil {
		t.Fatal(err)
	}
	grace := regexp.MustCompile(`Grace +time\.Duration .*default:"(\d+)m"`).FindSubmatch(source)
	if found == nil || grace == nil {
		t.Fatal("no TimeoutStopSec in minutes, or no default of --grace")
	}
	wait, _ := strconv.Atoi(string(found[1]))
	if takes, _ := strconv.Atoi(string(grace[1])); wait <= takes {
		t.Errorf("systemd kills a worker after %d minutes, and its clips may take %d", wait, takes)
	}
}

// TestSettingsAreKnown holds the settings that the package ships, in force or not, against the flags of the program.
func TestSettingsAreKnown(t *testing.T) {
	program := filepath.Join(t.TempDir(), "veil")
	mustRun(t, "../..", "go", "build", "-o", program, "./worker")
	for file, command := range map[string]string{"worker.env": "worker", "watch.env": "watch"} {
		help, err := exec.Command(program, command, "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join("files/etc", file))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^#?(VEIL_[A-Z0-9_]+)=`).FindAllSubmatch(data, -1)
		if len(found) < 4 {
			t.Errorf("%s: %d settings", file, len(found))
		}
		for _, m := range found {
			if !strings.Contains(string(help), "($"+string(m[1])+")") {
				t.Errorf("%s: veil %s has no flag for %s", file, command, m[1])
			}
		}
	}
}

func TestScriptsAreClean(t *testing.T) {
	scripts, err := filepath.Glob("*.sh")
	if err != nil || len(scripts) < 5 {
		t.Fatalf("%d scripts: %v", len(scripts), err)
	}
	mustRun(t, ".", need(t, "shellcheck"), append(scripts, "files/veil-here", "files/postinst")...)
}

// exitCode is what a command ended with.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return 0
}
