package watch

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"veil/worker/intake"
	"veil/worker/jobs"
)

// remoteInbox shows files as a client of a network file system sees them: what a look tells is what the test says that the
// cache holds then, not what the server has.
type remoteInbox struct {
	looks [][]found
	at    int
	taken []string // "NAME SIZE at LOOK"
	open  bool
}

func (r *remoteInbox) scan(context.Context) ([]found, int, error) {
	list := r.looks[min(r.at, len(r.looks)-1)]
	r.at++
	return list, 0, nil
}

func (r *remoteInbox) ready(found) bool { return !r.open }

func (r *remoteInbox) clip(_ context.Context, f found, _ jobs.Job) (intake.Clip, error) {
	r.taken = append(r.taken, fmt.Sprintf("%s %d at %d", f.name, f.size, r.at))
	return intake.Clip{}, errMoved // which lets the test go on without a queue
}

func (r *remoteInbox) moves() bool { return false }

// TestLooksOfARemoteFolder: a clip is taken after as many unchanged looks as were asked for, and not before, however coarse the
// times are, however late a size grows, and whatever comes under the name next.
func TestLooksOfARemoteFolder(t *testing.T) {
	clip := func(size int64, stamp string) []found { return []found{{name: "a.mp4", size: size, stamp: stamp}} }
	var none []found
	for name, c := range map[string]struct {
		looks [][]found
		want  []string
	}{
		"whole at once":                       {[][]found{clip(9, "1")}, []string{"a.mp4 9 at 4"}},
		"grows while its time stands still":   {[][]found{clip(1, "1"), clip(1, "1"), clip(5, "1"), clip(9, "1")}, []string{"a.mp4 9 at 7"}},
		"stands still, then its time changes": {[][]found{clip(9, "1"), clip(9, "1"), clip(9, "1"), clip(9, "2")}, []string{"a.mp4 9 at 7"}},
		"shows no size at first":              {[][]found{clip(0, "1"), clip(0, "1"), clip(0, "1"), clip(0, "1"), clip(0, "1"), clip(9, "1")}, []string{"a.mp4 9 at 9"}},
		"vanishes between two looks":          {[][]found{clip(9, "1"), clip(9, "1"), none, clip(9, "1")}, []string{"a.mp4 9 at 7"}},
		"becomes smaller":                     {[][]found{clip(9, "1"), clip(9, "1"), clip(9, "1"), clip(4, "1")}, []string{"a.mp4 4 at 7"}},
		"renamed over by another":             {[][]found{clip(9, "1"), clip(9, "1"), clip(9, "0")}, []string{"a.mp4 9 at 6"}},
		"never rests":                         {[][]found{clip(1, "1"), clip(2, "1"), clip(3, "1"), clip(4, "1"), clip(5, "1"), clip(6, "1"), clip(7, "1"), clip(8, "1"), clip(9, "1")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inbox := &remoteInbox{looks: c.looks}
			w := newTestWatcher(t, inbox)
			for range 9 {
				if _, err := w.round(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(inbox.taken) > 0 {
					break
				}
			}
			if !slices.Equal(inbox.taken, c.want) {
				t.Errorf("taken: %v, want %v", inbox.taken, c.want)
			}
		})
	}
	inbox := &remoteInbox{looks: [][]found{clip(9, "1")}, open: true}
	w := newTestWatcher(t, inbox)
	for range 9 {
		if idle, err := w.round(t.Context()); err != nil || idle {
			t.Fatalf("idle %v, %v", idle, err)
		}
	}
	if inbox.taken != nil {
		t.Errorf("taken while somebody writes: %v", inbox.taken)
	}
}

func newTestWatcher(t *testing.T, inbox Inbox) *watcher {
	t.Helper()
	out := t.TempDir()
	lock, err := lockOut(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	w, err := newWatcher(Options{Inbox: inbox, Out: out, Settle: 3, Stdout: io.Discard, Stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestRemote: no lease is asked for on other machines' disks, which refuse them for reasons of their own.
func TestRemote(t *testing.T) {
	for name, c := range map[string]struct {
		kind int64
		want bool
	}{
		"nfs": {unix.NFS_SUPER_MAGIC, true}, "smb": {unix.SMB_SUPER_MAGIC, true}, "cifs": {unix.CIFS_SUPER_MAGIC, true},
		"smb2": {unix.SMB2_SUPER_MAGIC, true}, "afs": {unix.AFS_SUPER_MAGIC, true}, "ceph": {unix.CEPH_SUPER_MAGIC, true},
		"9p": {unix.V9FS_MAGIC, true}, "cifs as a negative number": {int64(-11317950), true},
		"ext4": {unix.EXT4_SUPER_MAGIC, false}, "xfs": {unix.XFS_SUPER_MAGIC, false}, "tmpfs": {unix.TMPFS_MAGIC, false},
	} {
		if got := remote(c.kind); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
