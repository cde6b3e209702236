package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/input"
	"veil/worker/intake"
	"veil/worker/jobs"
	"veil/worker/store"
)

// found is a clip as one look saw it. Two looks that agree on all of it saw the same bytes, as far as can be told.
type found struct {
	name  string // below the inbox, with slashes
	size  int64
	stamp string // time of the last change, version: whatever tells one content from the next
}

// Inbox is where clips appear.
type Inbox interface {
	// scan lists the clips that are there, and counts what is no video by its name.
	scan(ctx context.Context) (list []found, others int, err error)
	// ready reports whether nobody writes to the clip and it can be read.
	ready(f found) bool
	// clip makes the job; the clip is the one that was found, or the error is errMoved.
	clip(ctx context.Context, f found, template jobs.Job) (intake.Clip, error)
	// moves reports whether clips are moved to where their answer is.
	moves() bool
}

// errMoved says that a clip is no longer the one that was found.
var errMoved = errors.New("the clip is another one by now")

// folderInbox is a folder, often on another machine's disk: it is polled, as no event comes over SMB or NFS.
type folderInbox struct{ dir string }

// Folder watches a folder, given by its whole path.
func Folder(dir string) Inbox { return &folderInbox{dir: dir} }

func (b *folderInbox) moves() bool { return true }

func (b *folderInbox) scan(ctx context.Context) (list []found, others int, err error) {
	err = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if path == b.dir {
				return fmt.Errorf("look into folder: %w", disk.Plain(err))
			}
			return nil // gone meanwhile, or not for us: the next look tells
		}
		rel, relErr := filepath.Rel(b.dir, path)
		if relErr != nil || rel == "." {
			return relErr
		}
		if strings.HasPrefix(d.Name(), ".") || d.IsDir() && slices.Contains([]string{boxDone, boxHeld, boxFailed}, rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if !info.Mode().IsRegular() || !input.IsVideo(d.Name()) {
			others++
			return nil
		}
		list = append(list, foundFile(filepath.ToSlash(rel), info))
		return nil
	})
	return list, others, err
}

// foundFile is what a look at a file tells.
func foundFile(name string, info fs.FileInfo) found {
	return found{name: name, size: info.Size(), stamp: fmt.Sprint(info.ModTime().UnixNano())}
}

// lookFile looks at one file again; false where it is not, or not any more, a regular file.
func lookFile(path, name string) (found, bool) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return found{}, false
	}
	return foundFile(name, info), true
}

// ready opens the file and asks for a read lease, which the kernel refuses while anybody has it open for writing. Where there
// are no leases, and on other machines' disks, the size and time of several looks must do.
func (b *folderInbox) ready(f found) bool {
	file, err := os.Open(filepath.Join(b.dir, filepath.FromSlash(f.name)))
	if err != nil {
		return false
	}
	defer file.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &fs); err == nil && remote(int64(fs.Type)) {
		return true
	}
	_, err = unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	}
	return !errors.Is(err, unix.EAGAIN)
}

// remote tells the file systems of other machines by the kernel's number for them. They refuse a lease whenever their server has
// given none to this machine, whether or not anybody writes, and none of their leases knows of writers elsewhere.
func remote(kind int64) bool {
	return slices.Contains([]int64{unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.V9FS_MAGIC}, kind&0xffffffff) // some are negative in 32 bits
}

func (b *folderInbox) clip(ctx context.Context, f found, template jobs.Job) (intake.Clip, error) {
	path := filepath.Join(b.dir, filepath.FromSlash(f.name))
	c, err := intake.LocalClip(ctx, path, template, nil)
	if now, ok := lookFile(path, f.name); !ok || now != f {
		return intake.Clip{}, errMoved
	}
	return c, err
}

// bucketInbox is a prefix of a bucket. It is only read.
type bucketInbox struct {
	s      *connect.Service
	bucket string
	prefix string
}

// Bucket watches what lies below a prefix of a bucket of sources.
func Bucket(s *connect.Service, bucket, prefix string) Inbox {
	return &bucketInbox{s: s, bucket: bucket, prefix: prefix}
}

func (b *bucketInbox) moves() bool { return false }

func (b *bucketInbox) scan(ctx context.Context) (list []found, others int, err error) {
	for o, err := range b.s.Source.List(ctx, b.bucket, b.prefix) {
		if err != nil {
			return nil, 0, err
		}
		name := strings.TrimPrefix(o.Key, b.prefix)
		if !filepath.IsLocal(name) || !input.IsVideo(name) {
			others++
			continue
		}
		list = append(list, foundObject(name, o))
	}
	return list, others, nil
}

func foundObject(name string, o store.Object) found {
	return found{name: name, size: o.Size, stamp: o.ETag + " " + fmt.Sprint(o.Time.UnixNano())}
}

func (b *bucketInbox) ready(found) bool { return true }

func (b *bucketInbox) clip(ctx context.Context, f found, template jobs.Job) (intake.Clip, error) {
	o, err := b.s.Source.Stat(ctx, b.bucket, b.prefix+f.name, "")
	if errors.Is(err, store.ErrNotFound) {
		return intake.Clip{}, errMoved
	}
	if err != nil {
		return intake.Clip{}, err
	}
	o.Key = b.prefix + f.name
	if o.Size != f.size {
		return intake.Clip{}, errMoved
	}
	return intake.BucketClip(template, b.bucket, o)
}
