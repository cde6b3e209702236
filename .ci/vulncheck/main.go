// Command vulncheck holds the packages that it is given (default ./...) against Go's database of known vulnerabilities, by a
// pinned govulncheck. A vulnerability in code that is called fails it.
//
// The database is what GOVULNDB names, else https://vuln.go.dev; a copy on a disk is named as file:///folder. Where it does
// not answer nothing was checked, and that fails too: with -offline-ok, and no GOVULNDB, it is told in one line instead.
//
// It ends with 0 where nothing was found, with 3 where something was, and with 1 where it could not be looked.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
	database    = "https://vuln.go.dev"
	// index is what every database has at this place.
	index       = "index/db.json"
	answerLimit = 15 * time.Second

	exitUnchecked = 1
	exitFound     = 3
)

var errAway = errors.New("does not answer")

func main() {
	offline := flag.Bool("offline-ok", false, "end well where the public database does not answer, and say so")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	db := os.Getenv("GOVULNDB")
	c := check{db: cmp.Or(db, database), offlineOK: *offline && db == "", packages: flag.Args(), out: os.Stdout}
	if len(c.packages) == 0 {
		c.packages = []string{"./..."}
	}
	code, err := c.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
	}
	os.Exit(code)
}

// check is one run.
type check struct {
	db        string // URL of the database
	offlineOK bool   // a database that does not answer is no failure
	dir       string // where the packages are; empty: here
	packages  []string
	out       io.Writer
}

// run looks, and gives the exit code.
func (c check) run(ctx context.Context) (int, error) {
	if err := reach(ctx, c.db); err != nil {
		if c.offlineOK && errors.Is(err, errAway) {
			fmt.Fprintf(c.out, "vulncheck: NOT CHECKED: %s; name a copy of the database by GOVULNDB=file:///folder\n", err)
			return 0, nil
		}
		return exitUnchecked, fmt.Errorf("nothing was checked: %w", err)
	}
	program, remove, err := install(ctx)
	if err != nil {
		return exitUnchecked, err
	}
	defer remove()
	cmd := exec.CommandContext(ctx, program, append([]string{"-db", c.db}, c.packages...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, c.out, c.out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		fmt.Fprintf(c.out, "vulncheck: clean, by %s\n", c.db)
		return 0, nil
	case errors.As(err, &exit) && exit.ExitCode() == exitFound:
		return exitFound, errors.New("vulnerable code is called: update as docs/dependencies.md tells")
	}
	return exitUnchecked, fmt.Errorf("run govulncheck: %w", err)
}

// install builds the pinned govulncheck into a folder of its own: `go run` would hide its exit code.
func install(ctx context.Context) (program string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "vulncheck-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	cmd := exec.CommandContext(ctx, "go", "install", govulncheck)
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("install %s: %w: %s", govulncheck, err, strings.TrimSpace(string(out)))
	}
	return filepath.Join(dir, "govulncheck"), remove, nil
}

// reach looks whether there is a database. The error is errAway where the network or its server is what is missing.
func reach(ctx context.Context, db string) error {
	u, err := url.Parse(db)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "file" {
		return errors.New("GOVULNDB is not a URL of the kind https://host or file:///folder")
	}
	if u.Scheme == "file" {
		if _, err := os.Stat(filepath.Join(u.Path, filepath.FromSlash(index))); err != nil {
			return fmt.Errorf("no copy of the database lies there: %w", err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(db, "/")+"/"+index, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s %w", db, errAway)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %w: %s", db, errAway, resp.Status)
	}
	return nil
}
