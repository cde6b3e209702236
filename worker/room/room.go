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
	// clipFactor is how much scratch a clip needs at once, in times its own size: the copy, and a derivative of the finer
	// profiles while its sound is added.
	clipFactor = 3
	// Extra is for plan, sound and sheets, in bytes.
	Extra    = 128 << 20
	roomPoll = 2 * time.Second
)

// Room keeps account of the scratch space: what is free, less what the running jobs will still need, less the reserve.
type Room struct {
	dir     string
	reserve int64                       // bytes that stay free
	Space   func(string) (int64, error) // free bytes of a folder's file system; a test puts its own

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

// freeSpace is what this user can still write, in bytes.
func freeSpace(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the scratch folder: %w", err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}

// Free gives the free bytes of the scratch folder's file system.
func (r *Room) Free() (int64, error) { return r.Space(r.dir) }

// Low reports whether less than the reserve is free, or nobody can tell.
func (r *Room) Low() bool {
	free, err := r.Free()
	return err != nil || free < r.reserve
}

// account gives the free bytes, what the running jobs have written, and what they will still write.
func (r *Room) account() (free, written, pending int64, err error) {
	free, err = r.Free()
	for s := range r.shares {
		used := sizeOf(s.dir)
		written += used
		pending += max(s.need-used, 0)
	}
	return free, written, pending, err
}

// Take gives a job its share. ErrNeverFits says that the clip will never fit, ErrNoRoom that it does not fit beside the others.
func (r *Room) Take(dir string, size int64) (*Share, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, written, pending, err := r.account()
	if err != nil {
		return nil, err
	}
	need := clipFactor*size + Extra
	if need > free+written-r.reserve {
		if len(r.shares) == 0 || need > free+written {
			return nil, fmt.Errorf("%w: it needs %s, and %s would be free", ErrNeverFits, text.SizeLeft(need), text.SizeLeft(free+written-r.reserve))
		}
		return nil, ErrNoRoom
	}
	if need > free-pending-r.reserve {
		return nil, ErrNoRoom
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
		free, _, pending, err := r.account()
		r.mu.Unlock()
		if err != nil {
			return err
		}
		if free-pending-r.reserve >= Extra {
			return nil
		}
		if !told {
			short(free-pending-r.reserve, Extra)
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
