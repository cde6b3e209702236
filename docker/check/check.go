// Package check holds what runs veil in containers against the schemas of those who read it: docker/compose.yaml against the Compose
// specification, the built manifests of docker/kubernetes against those of Kubernetes and KEDA, and their pods against the
// "restricted" profile. It is a module of its own, because what reads these formats needs far more code than veil; `make manifests`
// runs it.
package check

import (
	"context"
	"fmt"
	"path/filepath"
)

// Overlays are the folders of docker/kubernetes that are built and checked.
var Overlays = []string{"base", "long-clips"}

// Docker checks what lies in the folder docker. Its error names the first thing that is wrong.
func Docker(ctx context.Context, docker string) error {
	if err := composeFile(ctx, filepath.Join(docker, "compose.yaml")); err != nil {
		return fmt.Errorf("compose.yaml: %w", err)
	}
	v, err := newValidators(ctx)
	if err != nil {
		return err
	}
	for _, overlay := range Overlays {
		if err := v.overlay(filepath.Join(docker, "kubernetes", overlay)); err != nil {
			return fmt.Errorf("kubernetes/%s: %w", overlay, err)
		}
	}
	return nil
}
