// Command sbom writes to standard output what an installation archive is made of, as CycloneDX JSON: the Go modules of each
// program, the Debian packages and the weights, with digests. Beside that it copies the licence texts of the modules into a
// folder. It reads the programs themselves, so what it lists is what was linked.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// source says what is listed.
type source struct {
	version      string
	distribution string   // of the Debian packages: debian-12
	packages     string   // index of the repository
	weights      string   // SHA256SUMS of the weights
	licences     string   // folder that the modules' texts are copied to
	programs     []string // binaries made by Go
}

func main() {
	var s source
	flag.StringVar(&s.version, "version", "", "version of the archive")
	flag.StringVar(&s.distribution, "distribution", "", "what the packages belong to, as debian-12")
	flag.StringVar(&s.packages, "packages", "", "index of the Debian packages")
	flag.StringVar(&s.weights, "weights", "", "SHA256SUMS of the weights")
	flag.StringVar(&s.licences, "licences", "", "folder for the licence texts of the Go modules")
	flag.Parse()
	s.programs = flag.Args()
	if err := run(s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// run lists everything, in a fixed order, without times: the same archive has the same list.
func run(s source, out io.Writer) error {
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{BOMRef: "veil", Type: cdx.ComponentTypeApplication, Name: "veil", Version: s.version}}
	var components []cdx.Component
	var dependencies []cdx.Dependency
	top := cdx.Dependency{Ref: "veil", Dependencies: &[]string{}}
	known := map[string]bool{}
	var modules []module
	for _, path := range s.programs {
		program, parts, err := readProgram(path)
		if err != nil {
			return err
		}
		refs := []string{}
		for _, m := range parts {
			refs = append(refs, m.ref())
			if !known[m.ref()] {
				known[m.ref()] = true
				components = append(components, m.component())
				modules = append(modules, m)
			}
		}
		components = append(components, program)
		dependencies = append(dependencies, cdx.Dependency{Ref: program.BOMRef, Dependencies: &refs})
		*top.Dependencies = append(*top.Dependencies, program.BOMRef)
	}
	for _, read := range []func(source) ([]cdx.Component, error){debianPackages, weights} {
		found, err := read(s)
		if err != nil {
			return err
		}
		for _, c := range found {
			components = append(components, c)
			*top.Dependencies = append(*top.Dependencies, c.BOMRef)
		}
	}
	if err := copyLicences(modules, s.licences); err != nil {
		return err
	}
	dependencies = append(dependencies, top)
	bom.Components, bom.Dependencies = &components, &dependencies
	return cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}
