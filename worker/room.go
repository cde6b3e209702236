package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"veil/worker/text"
)

const (
	// clipFactor is how much scratch a clip needs at once, in times its own size: the copy, and a derivative of the finer
	// profiles while its sound is added.
	clipFactor = 3
	// clipExtra is for plan, sound and sheets, in bytes.
	clipExtra = 128 << 20
	roomPoll  = 2 * time.Second
)

// room keeps account of the scratch space: what is free, less what the running jobs will still need, less the reserve.
type room struct {
	dir     string
	reserve int64                       // bytes that stay free
	space   func(string) (int64, error) // free bytes of a folder's file system; a test puts its own

	mu     sync.Mutex
	shares map[*share]bool
}

// share is what one job may use.
type share struct {
	room *room
	dir  string
	need int64
}

func newRoom(dir string, reserve int64) *room {
	return &room{dir: dir, reserve: reserve, space: freeSpace, shares: map[*share]bool{}}
}

// freeSpace is what this user can still write, in bytes.
func freeSpace(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the scratch folder: %w", err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}

// account gives the free bytes, what the running jobs have written, and what they will still write.
func (r *room) account() (free, written, pending int64, err error) {
	free, err = r.space(r.dir)
	for s := range r.shares {
		used := sizeOf(s.dir)
		written += used
		pending += max(s.need-used, 0)
	}
	return free, written, pending, err
}

// take gives a job its share. errNeverFits says that the clip will never fit, errNoRoom that it does not fit beside the others.
func (r *room) take(dir string, size int64) (*share, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, written, pending, err := r.account()
	if err != nil {
		return nil, err
	}
	need := clipFactor*size + clipExtra
	if need > free+written-r.reserve {
		if len(r.shares) == 0 || need > free+written {
			return nil, fmt.Errorf("%w: it needs %s, and %s would be free", errNeverFits, text.SizeLeft(need), text.SizeLeft(free+written-r.reserve))
		}
		return nil, errNoRoom
	}
	if need > free-pending-r.reserve {
		return nil, errNoRoom
	}
	s := &share{room: r, dir: dir, need: need}
	r.shares[s] = true
	return s, nil
}

// end gives the share back; nil has none.
func (s *share) end() {
	if s == nil {
		return
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	delete(s.room.shares, s)
}

// crowded reports whether more than one job runs.
func (r *room) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.shares) > 1
}

// admit waits until there is room for one more job. short, called once where it has to wait, hears what is free for one and
// what the smallest needs, in bytes.
func (r *room) admit(ctx context.Context, short func(free, need int64)) error {
	for told := false; ; told = true {
		r.mu.Lock()
		free, _, pending, err := r.account()
		r.mu.Unlock()
		if err != nil {
			return err
		}
		if free-pending-r.reserve >= clipExtra {
			return nil
		}
		if !told {
			short(free-pending-r.reserve, clipExtra)
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
