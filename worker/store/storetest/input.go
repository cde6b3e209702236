package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Noise gives bytes that no compression and no accident makes.
func Noise(n int, seed uint64) []byte {
	data := make([]byte, n)
	for at := 0; at < n; at += len(noise()) {
		copy(data[at:], noise())
		if at+16 <= n {
			binary.BigEndian.PutUint64(data[at:], seed)
			binary.BigEndian.PutUint64(data[at+8:], uint64(at))
		}
	}
	if n > 0 {
		data[n-1] ^= byte(seed)
	}
	return data
}

var noise = sync.OnceValue(func() []byte {
	data := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
})

// Sum is a digest as the store writes it.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// breaks is an input that fails from an offset on.
type breaks struct {
	r    io.ReaderAt
	from int64
	err  error
}

func (b breaks) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, b.err
	}
	return b.r.ReadAt(p, off)
}

// trips is an input that does something when an offset is read.
type trips struct {
	r    io.ReaderAt
	at   int64
	trip func()
}

func (r trips) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.at {
		r.trip()
	}
	return r.r.ReadAt(p, off)
}

// failing is a writer that fails.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// after is a writer that does something after some bytes.
type after struct {
	n int
	f func()
}

func (a *after) Write(p []byte) (int, error) {
	if a.n -= len(p); a.n <= 0 && a.f != nil {
		a.f()
		a.f = nil
	}
	return len(p), nil
}

// sparse is a long input of which every MiB begins with its number.
type sparse struct{ size int64 }

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	var err error
	if off+int64(len(p)) >= s.size {
		p, err = p[:max(0, s.size-off)], io.EOF
	}
	clear(p)
	for at := (off + 1<<20 - 1) >> 20 << 20; at < off+int64(len(p)); at += 1 << 20 {
		p[at-off] = byte(at >> 20)
	}
	return len(p), err
}

func (s sparse) sum() string {
	h := sha256.New()
	_, _ = io.Copy(h, io.NewSectionReader(s, 0, s.size)) // neither fails
	return hex.EncodeToString(h.Sum(nil))
}

// WatchHeap watches how far the heap grows until the answer is asked for.
func WatchHeap() (peak func() uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	base := m.HeapInuse
	var top atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapInuse > base {
				top.Store(max(top.Load(), m.HeapInuse-base))
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return top.Load()
	}
}
