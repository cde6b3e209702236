package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestLists lists a program (this tool), a package and a weight.
func TestLists(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "tool")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := source{version: "1", distribution: "debian-12", packages: filepath.Join(dir, "Packages"), weights: filepath.Join(dir, "SHA256SUMS"),
		licences: filepath.Join(dir, "licences"), programs: []string{program}}
	digest := strings.Repeat("ab", 32)
	for path, text := range map[string]string{
		s.packages: "Package: libx264-164\nVersion: 2:0.164+x\nArchitecture: amd64\nMaintainer: M\nSHA256: " + digest + "\nDescription: x\n y: z\n",
		s.weights:  digest + "  net.onnx\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := run(s, &out); err != nil {
		t.Fatal(err)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&out, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	found := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		found[c.Name] = c
	}
	if c := found["libx264-164"]; c.PackageURL != "pkg:deb/debian/libx264-164@2%3A0.164%2Bx?arch=amd64&distro=debian-12" || (*c.Hashes)[0].Value != digest {
		t.Errorf("package: %+v", c)
	}
	if c := found["net.onnx"]; c.Type != cdx.ComponentTypeMachineLearningModel {
		t.Errorf("weights: %+v", c)
	}
	if c := found["tool"]; c.Hashes == nil || len((*c.Hashes)[0].Value) != 64 {
		t.Errorf("program: %+v", c)
	}
	const library = "github.com/CycloneDX/cyclonedx-go"
	if c := found[library]; !strings.HasPrefix(c.PackageURL, "pkg:golang/"+library+"@v") {
		t.Errorf("module: %+v", c)
	}
	if texts, err := filepath.Glob(filepath.Join(s.licences, library+"@*", "LICENSE")); err != nil || len(texts) != 1 {
		t.Errorf("licence texts: %v %v", texts, err)
	}
}
