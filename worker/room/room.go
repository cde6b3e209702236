// Package room keeps account of the scratch space that the jobs of one worker share, so that none is begun that would fill the
// disk. It measures and admits; it removes nothing.
package room

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"veil/worker/text"
)

var (
	ErrNeverFits = errors.New("the clip does not fit into the scratch folder")
	ErrNoRoom    = errors.New("the scratch folder has no room now")
)

const (
	// ClipFactor is how much scratch a clip needs at once, in times its own size: the copy, and a derivative of the finer
	// profiles while its sound is added.
	ClipFactor = 3
	// Extra is for plan, sound and sheets, in bytes.
	Extra    = 128 << 20
	roomPoll = 2 * time.Second
)

// Room keeps account of the scratch space: what is free, less what the running jobs will still need, less the reserve.
type Room struct {
	dir     string
	reserve int64 // bytes that stay free
	// Space gives the free bytes of a folder's file system, and all that it has; a test puts its own.
	Space func(string) (free, all int64, err error)

	mu     sync.Mutex
	shares map[*Share]bool
}

// Share is what one job may use.
type Share struct {
	room *Room
	dir  string
	need int64
}

// New keeps account of the file system that dir lies in; reserve bytes of it stay free.
func New(dir string, reserve int64) *Room {
	return &Room{dir: dir, reserve: reserve, Space: freeSpace, shares: map[*Share]bool{}}
}

// freeSpace is what this user can still write, and what he could write if nothing lay there, in bytes.
func freeSpace(dir string) (free, all int64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, 0, fmt.Errorf("look at the scratch folder: %w", err)
	}
	kept := fs.Bfree - fs.Bavail // for root
	return int64(fs.Bavail) * int64(fs.Bsize), int64(fs.Blocks-kept) * int64(fs.Bsize), nil
}

// Free gives the free bytes of the scratch folder's file system.
func (r *Room) Free() (int64, error) {
	free, _, err := r.Space(r.dir)
	return free, err
}

// Reserve is how many bytes have to stay free.
func (r *Room) Reserve() int64 { return r.reserve }

// Low reports whether less than the reserve is free, or nobody can tell.
func (r *Room) Low() bool {
	free, err := r.Free()
	return err != nil || free < r.reserve
}

// pending is what the running jobs will still write, in bytes.
func (r *Room) pending() (n int64) {
	for s := range r.shares {
		n += max(s.need-sizeOf(s.dir), 0)
	}
	return n
}

// Take gives a job its share. ErrNeverFits says that the clip would not fit onto the empty disk, ErrNoRoom that it does not fit
// beside what lies there now, of other jobs or of anybody.
func (r *Room) Take(dir string, size int64) (*Share, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, all, err := r.Space(r.dir)
	if err != nil {
		return nil, err
	}
	need := ClipFactor*size + Extra
	if need > all-r.reserve {
		return nil, fmt.Errorf("%w: it needs %s, and the empty disk has %s", ErrNeverFits, text.SizeLeft(need), text.SizeLeft(all-r.reserve))
	}
	if left := free - r.pending() - r.reserve; need > left {
		return nil, fmt.Errorf("%w: it needs %s, and %s are left", ErrNoRoom, text.SizeLeft(need), text.SizeLeft(left))
	}
	s := &Share{room: r, dir: dir, need: need}
	r.shares[s] = true
	return s, nil
}

// End gives the share back; nil has none.
func (s *Share) End() {
	if s == nil {
		return
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	delete(s.room.shares, s)
}

// Crowded reports whether more than one job runs.
func (r *Room) Crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.shares) > 1
}

// Admit waits until there is room for one more job. short, called once where it has to wait, hears what is free for one and
// what the smallest needs, in bytes.
func (r *Room) Admit(ctx context.Context, short func(free, need int64)) error {
	for told := false; ; told = true {
		r.mu.Lock()
		free, err := r.Free()
		left := free - r.pending() - r.reserve
		r.mu.Unlock()
		if err != nil {
			return err
		}
		if left >= Extra {
			return nil
		}
		if !told {
			short(left, Extra)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(roomPoll):
		}
	}
}

// sizeOf adds up the files below a folder; those that vanish meanwhile do not count.
func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
