package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// tag is the name of the image in its layout.
const tag = "latest"

// healthcheck gives what an image's config says of it.
func healthcheck(c *instructions.HealthCheckCommand) *v1.HealthConfig {
	return &v1.HealthConfig{Test: c.Health.Test, Interval: c.Health.Interval, Timeout: c.Health.Timeout, StartPeriod: c.Health.StartPeriod, Retries: c.Health.Retries}
}

// write writes the image as an OCI layout of one layer into a new folder. The same root and config give the same bytes.
func (b *builder) write(i *image, dir string, latest time.Time) (err error) {
	blob := filepath.Join(b.work, "layer.tar.gz")
	if _, err := packFile(i.root, latest, blob); err != nil {
		return fmt.Errorf("pack the image: %w", err)
	}
	layer, err := tarball.LayerFromFile(blob, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: latest}
	if img, err = mutate.ConfigFile(img, &v1.ConfigFile{Architecture: runtime.GOARCH, OS: "linux", Created: created, Config: i.config, RootFS: v1.RootFS{Type: "layers"}}); err != nil {
		return err
	}
	if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: filepath.Base(b.file.path)}}); err != nil {
		return err
	}
	half := dir + ".part"
	defer func() { err = errors.Join(err, os.RemoveAll(half)) }()
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	p, err := layout.Write(half, empty.Index)
	if err != nil {
		return err
	}
	platform := v1.Platform{Architecture: runtime.GOARCH, OS: "linux"}
	if err := p.AppendImage(img, layout.WithPlatform(platform), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})); err != nil {
		return err
	}
	return os.Rename(half, dir)
}

// readBack checks a layout: every digest in it, and that umoci, which had no part in writing it, unpacks the tree that was
// packed. It gives the unpacked root and the digest of the image's manifest.
func (b *builder) readBack(ctx context.Context, dir string, latest time.Time) (root string, digest v1.Hash, err error) {
	p, err := layout.FromPath(dir)
	if err != nil {
		return "", digest, err
	}
	index, err := p.ImageIndex()
	if err != nil {
		return "", digest, err
	}
	if err := validate.Index(index); err != nil {
		return "", digest, fmt.Errorf("the layout is not valid: %w", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", digest, err
	}
	if len(manifest.Manifests) != 1 {
		return "", digest, fmt.Errorf("the layout holds %d images", len(manifest.Manifests))
	}
	digest = manifest.Manifests[0].Digest
	img, err := index.Image(digest)
	if err != nil {
		return "", digest, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return "", digest, err
	}
	bundle := filepath.Join(b.work, "unpacked")
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, "umoci", "unpack", "--image", dir+":"+tag, bundle)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err != nil {
		return "", digest, fmt.Errorf("umoci (Debian package umoci): %w\n%s", err, lastLines(log.Bytes(), 5))
	}
	root = filepath.Join(bundle, "rootfs")
	sum := sha256.New()
	if err := pack(root, latest, sum); err != nil {
		return "", digest, err
	}
	if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); len(config.RootFS.DiffIDs) != 1 || got != config.RootFS.DiffIDs[0].String() {
		return "", digest, fmt.Errorf("unpacked, the layout is not the tree that was packed: %s, not %v", got, config.RootFS.DiffIDs)
	}
	return root, digest, nil
}
