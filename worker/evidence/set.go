package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"veil/worker/seal"
)

// Endings of the files of a set, after the derivative's name without its own ending.
const (
	ManifestEnding = ".manifest.json" // the envelope: public
	ReportEnding   = ".report.json"   // public
	PlanEnding     = ".plan.json"     // restricted, here and below
	LogEnding      = ".log.jsonl"
	AnnexEnding    = ".annex.json"
	ContactEnding  = ".contact.png"
	RequestEnding  = ".manifest.tsq" // what to send to a time stamp authority
	StampEnding    = ".manifest.tsr" // what it answered: public
)

// StatementEnding is that of the n-th later statement, counted from 1.
func StatementEnding(n int) string { return fmt.Sprintf(".statement-%d.json", n) }

// StatementAnnexEnding is that of the annex of the n-th later statement.
func StatementAnnexEnding(n int) string { return fmt.Sprintf(".statement-%d.annex.json", n) }

// ErrNoSet says that no manifest lies beside the derivative.
var ErrNoSet = errors.New("no manifest lies beside the derivative, under its name or for its digest")

// Stem is a derivative's path without its ending: what the names of its set begin with.
func Stem(out string) string {
	if ext := filepath.Ext(out); strings.EqualFold(ext, ".mp4") {
		return strings.TrimSuffix(out, ext)
	}
	return out
}

// maxManifests bounds how many manifests of a folder are looked at for one that names the derivative's digest.
const maxManifests = 10_000

// findSet gives the stem of the set that belongs to a derivative: the one under its name, or else (it was renamed) the one in
// the folder whose manifest names its digest. A manifest under its name that names other bytes counts where no other does: the
// derivative was altered.
func findSet(stem, folder, digest string) (string, error) {
	byName := filepath.Join(folder, filepath.Base(stem))
	there := names(byName, digest)
	if there == sameDigest {
		return byName, nil
	}
	list, err := filepath.Glob(filepath.Join(escape(folder), "*"+ManifestEnding))
	if err != nil {
		return "", fmt.Errorf("look for manifests: %w", err)
	}
	slices.Sort(list)
	for _, path := range list[:min(len(list), maxManifests)] {
		if other := strings.TrimSuffix(path, ManifestEnding); names(other, digest) == sameDigest {
			return other, nil
		}
	}
	if there == nothing {
		return "", ErrNoSet
	}
	return byName, nil
}

type found int

const (
	nothing found = iota
	unreadable
	otherDigest
	sameDigest
)

// names tells whether a stem has a manifest, and whether that names a digest.
func names(stem, digest string) found {
	b, err := readFile(stem+ManifestEnding, seal.MaxEnvelope)
	if errors.Is(err, os.ErrNotExist) {
		return nothing
	}
	if err != nil {
		return unreadable
	}
	e, err := seal.OpenEnvelope(b)
	if err != nil && !errors.Is(err, seal.ErrUnsigned) {
		return unreadable
	}
	switch seal.Subject(e.Payload) { // the rest is read once it is known whether somebody vouches for it
	case "":
		return unreadable
	case digest:
		return sameDigest
	}
	return otherDigest
}

// escape takes the meaning from what a pattern would read otherwise.
func escape(path string) string {
	if os.PathSeparator == '\\' {
		return strings.ReplaceAll(path, "[", "?") // no escape there; a folder that fits besides does no harm
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// errSize says that a file is larger than anything of its kind.
var errSize = errors.New("is too large for what it should be")

// errKind says that a piece is a folder, a pipe or a device, which may never end.
var errKind = errors.New("is no plain file")

// openPiece opens a plain file: what a set brings along may be anything.
func openPiece(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %w", path, errKind)
	}
	return os.Open(path)
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := openPiece(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errSize
	}
	return b, err
}

// digestFile gives a file's SHA-256 and its size in bytes.
func digestFile(path string) (string, int64, error) {
	f, err := openPiece(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// StatementStampEnding is that of the time stamp of the n-th later statement.
func StatementStampEnding(n int) string { return fmt.Sprintf(".statement-%d.tsr", n) }
