// Command capacity takes what the benches measured into the figures of `veil capacity`, worker/capacity/figures.json, and into the
// tables of docs/capacity.md, which are the same.
//
//	go run ./bench -footage -json > footage.json
//	go run ./bench/queue -fleet -json > fleet.json
//	go run ./bench/capacity footage.json fleet.json
//
// Each file replaces its part; without files the page is written from the figures as they are.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"veil/worker/capacity"
)

const (
	begin = "<!-- figures: written by bench/capacity -->\n\n"
	end   = "<!-- end of figures -->"
)

func main() {
	if err := run(os.Args[1:], "."); err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

// measured is what the benches print, as far as it is figures.
type measured struct {
	Build   string             `json:"build"`
	Footage []capacity.Footage `json:"footage"`
	Fleet   *capacity.Fleet    `json:"fleet"`
}

// run takes files into the figures of the checkout at root.
func run(files []string, root string) error {
	path := filepath.Join(root, "worker", "capacity", "figures.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: run it inside the checkout", err)
	}
	var f capacity.Figures
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, name := range files {
		if err := take(&f, name); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	if len(files) > 0 {
		f.Machine = machine()
	}
	if b, err = json.MarshalIndent(f, "", "  "); err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return write(filepath.Join(root, "docs", "capacity.md"), f.Tables())
}

var errNothing = errors.New("it holds neither footage nor a fleet")

// take puts one bench's output into the figures.
func take(f *capacity.Figures, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var m measured
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if len(m.Footage) == 0 && m.Fleet == nil {
		return errNothing
	}
	f.Build = m.Build
	if len(m.Footage) > 0 {
		f.Footage = m.Footage
	}
	if m.Fleet != nil {
		f.Fleet = *m.Fleet
	}
	return nil
}

// write puts the tables between the marks of the page.
func write(page, tables string) error {
	b, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return fmt.Errorf("%s has no marks for the figures", page)
	}
	return os.WriteFile(page, []byte(before+begin+tables+"\n"+end+after), 0o644)
}

// machine says what this machine is.
func machine() string {
	processor, cores := "an unknown processor", 0
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(b) {
			if name, value, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(name) == "model name" {
				processor, cores = strings.TrimSpace(value), cores+1
			}
		}
	}
	system := "an unknown system"
	if b, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(b)) {
			if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				system = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
	}
	return fmt.Sprintf("%d cores (%s), %s", cores, processor, system)
}
