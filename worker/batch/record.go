package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"veil/models"
	"veil/pipeline"
	"veil/pipeline/decide"
	"veil/worker/disk"
	"veil/worker/failure"
)

const (
	recordFolder = ".veil" // below OUT
	recordSchema = "veil.record/1"
	stateStarted = "started"
)

// record is what a batch remembers of one clip, so that a later run does nothing twice: OUT/.veil/NAME.json.
type record struct {
	Schema     string               `json:"schema"`
	State      string               `json:"state"` // started, released or held
	Key        string               `json:"key"`   // which source
	Name       string               `json:"name"`  // the derivative's final name below OUT
	Source     pipeline.FileDigest  `json:"source"`
	Derivative *pipeline.FileDigest `json:"derivative,omitempty"` // nil where it was discarded
	Conditions conditions           `json:"conditions"`
	Findings   int                  `json:"findings,omitempty"` // that wait for a person
}

// conditions are everything but the source that a derivative depends on.
type conditions struct {
	Policy  string            `json:"policy"` // SHA-256
	From    *float64          `json:"from,omitempty"`
	To      *float64          `json:"to,omitempty"`
	OnHold  string            `json:"on_hold"`
	Build   string            `json:"build"`
	Program string            `json:"program"` // SHA-256 of veil itself: a revision may be unknown
	FFmpeg  string            `json:"ffmpeg"`
	Engine  string            `json:"engine"`
	Decoder int               `json:"decoder_threads"`
	Encoder int               `json:"encoder_threads"`
	Models  map[string]string `json:"models"` // SHA-256 by file name
}

// conditionsOf gathers what the derivatives of a run will depend on.
func conditionsOf(ctx context.Context, r pipeline.Request) (conditions, error) {
	policy, err := r.Policy.Encode()
	if err != nil {
		return conditions{}, fmt.Errorf("encode policy: %w", err)
	}
	c := conditions{
		Policy: decide.Digest(policy), From: r.From, To: r.To, OnHold: r.OnHold, Build: r.Config.Build,
		Engine: r.Config.Engine, Decoder: r.Config.Tools.DecoderThreads, Encoder: r.Config.Tools.EncoderThreads,
		Models: map[string]string{},
	}
	exe, err := os.Executable()
	if err != nil {
		return c, fmt.Errorf("find program: %w", err)
	}
	self, err := pipeline.DigestFile(ctx, exe, nil)
	if err != nil {
		return c, fmt.Errorf("read program: %w", err)
	}
	c.Program = self.SHA256
	if c.FFmpeg, err = r.Config.Tools.Versions(ctx); err != nil {
		return c, err
	}
	for _, f := range models.Files() {
		if models.Check(r.Config.Models, f.Name) == nil {
			c.Models[f.Name] = f.SHA256
		}
	}
	return c, nil
}

// change names the first thing in which two conditions differ, "" where they are the same.
func (c conditions) change(now conditions) string {
	switch {
	case c.Policy != now.Policy:
		return "policy"
	case !sameTime(c.From, now.From) || !sameTime(c.To, now.To):
		return "excerpt"
	case c.OnHold != now.OnHold:
		return "on-hold"
	case c.Build != now.Build || c.Program != now.Program:
		return "build"
	case c.FFmpeg != now.FFmpeg:
		return "ffmpeg"
	case c.Engine != now.Engine || c.Decoder != now.Decoder || c.Encoder != now.Encoder:
		return "settings"
	case !sameMap(c.Models, now.Models):
		return "models"
	}
	return ""
}

func sameTime(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// ledger is the folder of records below OUT. One run at a time holds it.
type ledger struct {
	dir     string
	lock    *os.File
	records map[string]record // by the derivative's name below OUT
}

// openLedger takes the folder, or says that another run has it.
func openLedger(out string) (*ledger, error) {
	dir := filepath.Join(out, recordFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failure.Usagef("check the folder's owner and mode, or choose another", "output folder cannot be written: %s", disk.Plain(err))
	}
	lock, err := disk.Lock(filepath.Join(dir, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, failure.Newf(failure.Busy, "wait for it, or choose another folder", "another run works in this output folder")
	}
	if err != nil {
		return nil, err
	}
	l := &ledger{dir: dir, lock: lock, records: map[string]record{}}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// load reads every record. One that makes no sense is passed over: its clip is then done again, and nothing that lies
// under its name is overwritten.
func (l *ledger) load() error {
	return filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read records: %w", disk.Plain(err))
		}
		if d.IsDir() || !strings.HasSuffix(path, ".json") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read record: %w", disk.Plain(err))
		}
		var r record
		if json.Unmarshal(b, &r) == nil && r.Schema == recordSchema && l.file(r.Name) == path {
			l.records[r.Name] = r
		}
		return nil
	})
}

// file is where the record of a derivative lies.
func (l *ledger) file(name string) string { return filepath.Join(l.dir, name+".json") }

// taken maps the derivatives' names to the keys of their sources.
func (l *ledger) taken() map[string]string {
	t := map[string]string{}
	for name, r := range l.records {
		t[name] = r.Key
	}
	return t
}

// put writes a record.
func (l *ledger) put(r record) error {
	r.Schema = recordSchema
	path := l.file(r.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make record folder: %w", disk.Plain(err))
	}
	l.records[r.Name] = r
	return disk.WriteJSON(path, r)
}

// drop forgets a clip.
func (l *ledger) drop(name string) error {
	delete(l.records, name)
	if err := os.Remove(l.file(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove record: %w", disk.Plain(err))
	}
	return nil
}

// close gives the folder back.
func (l *ledger) close() error { return l.lock.Close() }
