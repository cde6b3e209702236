package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"veil/worker/jobs"
)

// bigLimit is how much memory the worker's own process may have whatever the clip's size, in 10^6 bytes.
const bigLimit = 100

// BigResult is what a file of many bytes takes.
type BigResult struct {
	Bytes  int64   `json:"bytes"`
	Submit Cost    `json:"submit"` // `veil submit` of the file
	Worker Memory  `json:"worker"` // the worker's own process, from its start to the answer
	Took   float64 `json:"seconds"`
}

const (
	bigSeconds = 2
	bigWidth   = 640
	// roomFactor is how much of the file's size lies on the disk at once: in the store, as a copy, and what a worker keeps free.
	roomFactor = 5
)

var errDiskFull = errors.New("the disk under bench/out is too small")

// big hands a large file in as an operator does, and has a worker settle it.
func (h *house) big(ctx context.Context, size int64) (res *BigResult, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(h.dir, &fs); err != nil {
		return nil, err
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < roomFactor*size {
		return nil, fmt.Errorf("%w: %d MB are free, %d are needed", errDiskFull, free/1e6, roomFactor*size/1e6)
	}
	small, err := h.clip(ctx, bigSeconds, bigWidth)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(h.dir, "big.mp4")
	if err := grow(small, path, size); err != nil {
		return nil, err
	}
	w, err := h.hire(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.retire()) }()
	f := h.follow(ctx)
	defer f.stop()
	res = &BigResult{Bytes: size}
	ended, stop := context.WithCancel(ctx)
	defer stop()
	peak := make(chan Memory, 1)
	go func() { peak <- watch(ended, w.pid()) }()
	if res.Submit, err = h.command(ctx, "submit", path, "--id", "big", "--policy", policy); err != nil {
		return nil, err
	}
	all, err := f.await(ctx, 1)
	if err != nil {
		return nil, err
	}
	stop()
	res.Worker = <-peak
	for _, e := range all {
		if e.Event.Event == jobs.EventAccepted {
			res.Took = all[len(all)-1].at.Sub(e.at).Seconds()
		}
	}
	return res, h.forget(ctx, "big")
}

// grow copies an MP4 and appends a free box, so that the file has so many bytes. The box is a hole in the file: it is read as
// zeros, and takes no room on the disk.
func grow(from, to string, size int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, in)
	if err == nil {
		_, err = out.Write(freeBox(size - n))
	}
	if err == nil {
		err = out.Truncate(size)
	}
	return errors.Join(err, out.Close())
}

// freeBox is the head of a free box of so many bytes, with its length in 64 bits.
func freeBox(size int64) []byte {
	head := binary.BigEndian.AppendUint32(nil, 1)
	head = append(head, "free"...)
	return binary.BigEndian.AppendUint64(head, uint64(max(size, 16)))
}
