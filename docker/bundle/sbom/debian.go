package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// debianPackages reads the index of the repository.
func debianPackages(s source) (found []cdx.Component, err error) {
	f, err := os.Open(s.packages)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	fields := map[string]string{}
	end := func() {
		if name := fields["Package"]; name != "" {
			found = append(found, debianPackage(fields, s.distribution))
		}
		fields = map[string]string{}
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch name, value, ok := strings.Cut(lines.Text(), ":"); {
		case lines.Text() == "":
			end()
		case ok && !strings.HasPrefix(name, " "):
			fields[name] = strings.TrimSpace(value)
		}
	}
	end()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.packages, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s names no package", s.packages)
	}
	return found, nil
}

func debianPackage(fields map[string]string, distribution string) cdx.Component {
	purl := "pkg:deb/debian/" + url.PathEscape(fields["Package"]) + "@" + url.QueryEscape(fields["Version"]) +
		"?arch=" + fields["Architecture"] + "&distro=" + distribution
	return cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: fields["Package"], Version: fields["Version"], PackageURL: purl,
		Supplier: &cdx.OrganizationalEntity{Name: fields["Maintainer"]},
		Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: fields["SHA256"]}}}
}

// weights reads the list of digests of the networks and of the library that runs them.
func weights(s source) (found []cdx.Component, err error) {
	data, err := os.ReadFile(s.weights)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		digest, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return nil, fmt.Errorf("%s: no digest and name in %q", s.weights, line)
		}
		kind := cdx.ComponentTypeMachineLearningModel
		if !strings.HasSuffix(name, ".onnx") {
			kind = cdx.ComponentTypeLibrary
		}
		found = append(found, cdx.Component{BOMRef: "file:" + name, Type: kind, Name: name,
			Licenses: &cdx.Licenses{{License: &cdx.License{ID: "MIT"}}},
			Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: digest}}})
	}
	return found, nil
}
