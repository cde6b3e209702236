package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"veil/worker/disk"
	"veil/worker/failure"
)

// ticketSchema names the version of the ticket's format.
const ticketSchema = "veil.watch/1"

// ticket is what a watcher remembers of one clip, in a file of its own below OUT/.veil/watch. It is written before each step
// that it tells of, so that whoever is killed in between does the step again, which changes nothing.
type ticket struct {
	Schema string `json:"schema"`
	ID     string `json:"id,omitempty"` // the job; empty where the clip could not even be handed in
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Stamp  string `json:"stamp"`
	// Submitted says that the queue has the job.
	Submitted bool `json:"submitted"`
	// RetryOf is the generation of a job that had failed or was cancelled when its clip was put here again: it is begun anew.
	RetryOf int `json:"retry_of,omitempty"`
	// Code is why it could not be handed in.
	Code string `json:"code,omitempty"`
	// Target is the clip's name below done, held or failed: chosen once.
	Target string `json:"target,omitempty"`
	// Box is the folder that it lies in, empty while it lies where it was found; Generation is whose answer that is, and Files
	// what was written beside it, below OUT.
	Box        string   `json:"box,omitempty"`
	Generation int      `json:"generation,omitempty"`
	Files      []string `json:"files,omitempty"`
}

// seen is the look that the ticket was made from.
func (t *ticket) seen() found { return found{name: t.Name, size: t.Size, stamp: t.Stamp} }

// tickets are all of one folder.
type tickets struct {
	dir string
	all map[string]*ticket // by file name
}

// openTickets reads them. One that cannot be read is left where it is and counts for nothing: its clip is handed in again,
// which the queue knows as the same.
func openTickets(dir string) (*tickets, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read tickets: %w", disk.Plain(err))
	}
	ts := &tickets{dir: dir, all: map[string]*ticket{}}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".veil-") { // half written by whoever was killed
			_ = os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		if filepath.Ext(e.Name()) != ".json" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read tickets: %w", disk.Plain(err))
		}
		var t ticket
		if json.Unmarshal(b, &t) == nil && t.Schema == ticketSchema && filepath.IsLocal(t.Name) && (t.Target == "" || filepath.IsLocal(t.Target)) {
			ts.all[e.Name()] = &t
		}
	}
	return ts, nil
}

// file is the ticket's own name.
func (t *ticket) file() string {
	sum := sha256.Sum256([]byte(t.Name + "\x00" + t.Stamp + "\x00" + fmt.Sprint(t.Size)))
	return hex.EncodeToString(sum[:10]) + ".json"
}

// save writes a ticket whole or not at all.
func (ts *tickets) save(t *ticket) error {
	t.Schema = ticketSchema
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode ticket: %w", err)
	}
	path := filepath.Join(ts.dir, t.file())
	if err := disk.Write(disk.TempBeside(path), path, b); err != nil {
		return failure.OfFile("write ticket", err)
	}
	ts.all[t.file()] = t
	return nil
}

// drop forgets a ticket.
func (ts *tickets) drop(t *ticket) error {
	delete(ts.all, t.file())
	if err := os.Remove(filepath.Join(ts.dir, t.file())); err != nil && !errors.Is(err, os.ErrNotExist) {
		return failure.OfFile("remove ticket", err)
	}
	return nil
}

// of finds the ticket of what was found, nil if there is none.
func (ts *tickets) of(f found) *ticket {
	return ts.all[(&ticket{Name: f.name, Size: f.size, Stamp: f.stamp}).file()]
}

// superseded lists the tickets of an earlier content under a name, which is where they were found.
func (ts *tickets) superseded(f found) (list []*ticket) {
	for _, t := range ts.all {
		if t.Name == f.name && t.Box == "" && t.seen() != f {
			list = append(list, t)
		}
	}
	return list
}
