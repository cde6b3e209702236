package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// public tells hosts that say nothing of a machine; they stand in Debian's own files and in Go's.
func public(host string) bool {
	return strings.HasSuffix(host, ".debian.org") || strings.HasSuffix(host, ".golang.org") || host == "localhost" || host == "127.0.0.1"
}

// clean refuses an image that holds anything of this machine's package clients: the files that the steps got, a host of its own, or
// an authority that Debian does not ship.
func (m *machine) clean(root string) error {
	needles := [][]byte{[]byte(given)}
	for _, host := range m.hosts() {
		needles = append(needles, []byte(host))
	}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range needles {
			if bytes.Contains(b, n) {
				return fmt.Errorf("the image holds something of this machine: %q in %s", n, strings.TrimPrefix(path, root))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return authorities(root)
}

// hosts are the names by which this machine reaches registries and proxies, but those that any machine uses.
func (m *machine) hosts() []string {
	var hosts []string
	add := func(s string) {
		if u, err := url.Parse(s); err == nil && u.Hostname() != "" && !public(u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	for _, uri := range m.debian {
		add(uri)
	}
	for _, v := range m.env {
		_, value, _ := strings.Cut(v, "=")
		for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,|", r) }) {
			add(word)
		}
	}
	for _, name := range []string{"apt.conf", "pip.conf"} {
		b, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			continue
		}
		for _, word := range strings.FieldsFunc(string(b), func(r rune) bool { return strings.ContainsRune(" \n\t\";=", r) }) {
			add(word)
		}
	}
	return hosts
}

// authorities refuses certificates that come from no package of Debian's. An image without any is fine.
func authorities(root string) error {
	shipped := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, "usr/share/ca-certificates"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			shipped[string(block.Bytes)] = true
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	own, err := os.ReadDir(filepath.Join(root, "usr/local/share/ca-certificates"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(own) > 0 {
		return fmt.Errorf("the image holds an authority of this machine: %s", own[0].Name())
	}
	b, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if !shipped[string(block.Bytes)] {
			return errors.New("the image trusts an authority that Debian does not ship")
		}
	}
	return nil
}
