package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"veil/worker/store"
	"veil/worker/store/storetest"
)

func openDir(t *testing.T, root string) store.Store {
	t.Helper()
	s, err := store.OpenDir(root, store.DirOptions{Encryption: store.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestNoWayOut: links lead nowhere outside, neither to read nor to write, and what is no file is no object.
func TestNoWayOut(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	bucket := filepath.Join(root, "clips")
	other := filepath.Join(root, "other")
	if err := errors.Join(os.MkdirAll(filepath.Join(bucket, "sub"), 0o755), os.MkdirAll(other, 0o755),
		os.WriteFile(filepath.Join(other, "file"), []byte("x"), 0o600), os.Symlink(secret, filepath.Join(bucket, "file")),
		os.Symlink(outside, filepath.Join(bucket, "folder")), os.Symlink("../other/file", filepath.Join(bucket, "beside")),
		os.Symlink(outside, filepath.Join(root, "linked")), unix.Mkfifo(filepath.Join(bucket, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	src, err := store.OpenDirSource(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	for _, at := range [][2]string{{"clips", "file"}, {"clips", "folder/secret"}, {"clips", "beside"}, {"linked", "secret"}} {
		o, err := src.Fetch(t.Context(), at[0], at[1], "", io.Discard)
		if !errors.Is(err, store.ErrDenied) {
			t.Errorf("fetched %v: %+v, %v", at, o, err)
		}
	}
	for _, key := range []string{"pipe", "sub"} {
		if o, err := src.Fetch(t.Context(), "clips", key, "", io.Discard); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("fetched %s: %+v, %v", key, o, err)
		}
	}
	for o, err := range src.List(t.Context(), "clips", "") {
		t.Errorf("listed %+v, %v", o, err)
	}
	s := openDir(t, bucket)
	for _, key := range []string{"folder/new", "folder/sub/new"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x"), store.PutOptions{Size: 1}); !errors.Is(err, store.ErrDenied) {
			t.Errorf("put %s: %v", key, err)
		}
		if _, err := s.Create(t.Context(), key, nil, ""); !errors.Is(err, store.ErrDenied) {
			t.Errorf("create %s: %v", key, err)
		}
	}
	if err := s.Remove(t.Context(), "folder/secret"); !errors.Is(err, store.ErrDenied) {
		t.Errorf("remove: %v", err)
	}
	// A link at the key itself is replaced, and what it leads to stays.
	if _, err := s.Put(t.Context(), "file", strings.NewReader("x"), store.PutOptions{Size: 1}); err != nil {
		t.Errorf("put where a link is: %v", err)
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "secret" {
		t.Errorf("the file outside is %q: %v", data, err)
	}
}

// TestDirChangedWhileFetched: a source that is written, or replaced, under our eyes.
func TestDirChangedWhileFetched(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "clips", "a.mp4")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	src, err := store.OpenDirSource(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	clip := storetest.Noise(2<<20, 1)
	for name, change := range map[string]func() error{
		"appended": func() error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write([]byte("x"))
			return errors.Join(err, f.Close())
		},
		"written":   func() error { return os.WriteFile(path, storetest.Noise(2<<20, 2), 0o644) },
		"truncated": func() error { return os.Truncate(path, 1<<20) },
		"replaced": func() error {
			return errors.Join(os.WriteFile(path+".new", storetest.Noise(2<<20, 3), 0o644), os.Rename(path+".new", path))
		},
	} {
		if err := os.WriteFile(path, clip, 0o644); err != nil {
			t.Fatal(err)
		}
		w := &then{w: io.Discard, at: 1 << 20, do: func() {
			time.Sleep(5 * time.Millisecond) // the clock of the file system ticks slowly
			if err := change(); err != nil {
				t.Error(err)
			}
		}}
		if o, err := src.Fetch(t.Context(), "clips", "a.mp4", "", w); !errors.Is(err, store.ErrChanged) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

// TestDirKilledWriter: a writer that is killed at any moment leaves the old object or the new one, and a file that is swept.
func TestDirKilledWriter(t *testing.T) {
	if root := os.Getenv("VEIL_TEST_WRITER"); root != "" {
		s := openDir(t, root)
		for i := uint64(0); ; i++ {
			data := storetest.Noise(300_000, i%7)
			if _, err := s.Put(t.Context(), "a/b", bytes.NewReader(data), store.PutOptions{Size: int64(len(data))}); err != nil {
				t.Fatal(err)
			}
			fmt.Println("written")
		}
	}
	root := t.TempDir()
	s := openDir(t, root)
	whole := map[string]bool{}
	for i := range uint64(7) {
		whole[storetest.Sum(storetest.Noise(300_000, i))] = true
	}
	for round := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDirKilledWriter$")
		cmd.Env = append(os.Environ(), "VEIL_TEST_WRITER="+root)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(round*3) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		o, err := s.Fetch(t.Context(), "a/b", io.Discard)
		if err != nil || !whole[o.SHA256] {
			t.Fatalf("round %d: found %+v, %v", round, o, err)
		}
	}
	n, err := s.AbortUploads(t.Context(), "", time.Now().Add(time.Minute))
	left, globErr := filepath.Glob(filepath.Join(root, "a", "*"))
	if err != nil || globErr != nil || len(left) != 1 {
		t.Fatalf("swept %d, and left %q: %v", n, left, err)
	}
}

// TestDirFull writes to a file system of 2 MiB, in a mount namespace of its own.
func TestDirFull(t *testing.T) {
	if root := os.Getenv("VEIL_TEST_FULL"); root != "" {
		fillDisk(t, root)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDirFull$", "-test.v")
	cmd.Env = append(os.Environ(), "VEIL_TEST_FULL="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func fillDisk(t *testing.T, root string) {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if errors.Is(err, unix.EINVAL) { // a chroot whose root is no mount: no harm where nothing is shared
		if mounts, readErr := os.ReadFile("/proc/self/mountinfo"); readErr == nil && !bytes.Contains(mounts, []byte("shared:")) {
			err = nil
		}
	}
	if err = errors.Join(err, unix.Mount("tmpfs", root, "tmpfs", 0, "size=2m")); err != nil {
		t.Fatalf("no small file system: %v", err)
	}
	defer func() { _ = unix.Unmount(root, unix.MNT_DETACH) }()
	s := openDir(t, root)
	old := storetest.Noise(100_000, 1)
	for _, key := range []string{"a/old", "a/old"} {
		if _, err := s.Put(t.Context(), key, bytes.NewReader(old), store.PutOptions{Size: int64(len(old))}); err != nil {
			t.Fatal(err)
		}
	}
	long := storetest.Noise(3<<20, 2)
	for _, key := range []string{"a/old", "a/new", "b/c/new"} {
		if _, err := s.Put(t.Context(), key, bytes.NewReader(long), store.PutOptions{Size: int64(len(long))}); !errors.Is(err, store.ErrFull) {
			t.Fatalf("put %s: %v", key, err)
		}
	}
	_, err = s.Create(t.Context(), "a/new", long, "")
	wantErr(t, err, store.ErrFull)
	if o, err := s.Fetch(t.Context(), "a/old", io.Discard); err != nil || o.SHA256 != storetest.Sum(old) {
		t.Fatalf("the old object: %+v, %v", o, err)
	}
	if n, err := s.AbortUploads(t.Context(), "", time.Now().Add(time.Minute)); err != nil || n != 0 {
		t.Fatalf("%d unfinished files were left: %v", n, err)
	}
	if _, err := s.Put(t.Context(), "a/new", bytes.NewReader(old), store.PutOptions{Size: int64(len(old))}); err != nil {
		t.Fatalf("what still fits: %v", err)
	}
}
