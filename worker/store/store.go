// Package store keeps clips, derivatives and evidence as objects: in an S3 bucket or in a plain folder, behind one interface.
//
// It owns keys, digests, conditional writes and what is checked before a store is trusted. It never decides what becomes of
// a job, never parses a clip, and writes to no bucket that sources come from: a Source has no method for that.
//
// A digest that it returns was computed from bytes that the store gave back, never from what was sent.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Errors of every implementation, to be found with errors.Is.
var (
	// ErrNotFound says that there is no such object, version or bucket.
	ErrNotFound = errors.New("no such object")
	// ErrExists says that the key is taken, and by other bytes.
	ErrExists = errors.New("the key is taken by something else")
	// ErrChanged says that the object is not, or no longer, the one that was named by version or digest.
	ErrChanged = errors.New("the object is not the one that was named")
	// ErrDenied says that the store refuses these credentials or this operation.
	ErrDenied = errors.New("the store refuses access")
	// ErrUnavailable says that the store does not answer, or answers that it cannot: try later.
	ErrUnavailable = errors.New("the store does not answer")
	// ErrDamaged says that what was read back is not what was written.
	ErrDamaged = errors.New("the store gave back other bytes than were written")
	// ErrUnsafe says that the store does not keep what veil needs: a conditional write that two writers win, or no encryption.
	ErrUnsafe = errors.New("the store cannot be trusted with evidence")
	// ErrFull says that the store, or the disk it lies on, has no room.
	ErrFull = errors.New("the store has no room")
)

// Object describes one object.
type Object struct {
	Key     string    `json:"key"`
	Size    int64     `json:"size"`
	Version string    `json:"version,omitempty"` // empty where the store keeps no versions
	ETag    string    `json:"etag,omitempty"`
	Time    time.Time `json:"time"` // last change, the store's clock
	// SHA256 is of the bytes as read, 64 lower-case hex digits; empty where nothing was read (Stat, List).
	SHA256 string `json:"sha256,omitempty"`
	// Encryption is what the store confirms of this object ("AES256", "aws:kms"), "declared" where the operator answers for
	// the disk below, and empty for neither.
	Encryption string `json:"encryption,omitempty"`
}

// PutOptions say what is known of bytes before they are written.
type PutOptions struct {
	Size        int64  // bytes
	SHA256      string // of the bytes, 64 lower-case hex digits: held against what is read back
	ContentType string // default application/octet-stream
}

// Source is where clips come from. It has no way to write.
type Source interface {
	// Stat describes the newest version, or the one that version names.
	Stat(ctx context.Context, bucket, key, version string) (Object, error)
	// Fetch streams the whole object into w and returns it with the digest of what was read. A connection that breaks is
	// taken up again where it broke, against the same version, so that w never sees a byte twice. ErrChanged where the
	// object became another one meanwhile.
	Fetch(ctx context.Context, bucket, key, version string, w io.Writer) (Object, error)
	// List gives the newest version of every object under a prefix, in order of keys.
	List(ctx context.Context, bucket, prefix string) iter.Seq2[Object, error]
	// Close frees connections.
	Close() error
}

// Store is where derivatives and evidence lie: one bucket or folder of veil's own.
type Store interface {
	Stat(ctx context.Context, key string) (Object, error)
	// Fetch streams the whole object into w and returns it with the digest of what was read.
	Fetch(ctx context.Context, key string, w io.Writer) (Object, error)
	// Read returns a small object whole: ErrDamaged where it is longer than limit bytes.
	Read(ctx context.Context, key string, limit int64) ([]byte, Object, error)
	// Put writes o.Size bytes of r, in parts where that is better, and reads them back: the object's digest is of what came
	// back. What is half written is never visible. It replaces what is there.
	Put(ctx context.Context, key string, r io.ReaderAt, o PutOptions) (Object, error)
	// Create writes a small object only where the key is free (If-None-Match: *), and reads it back. Of several writers one
	// wins and the others get ErrExists, unless what lies there are the very same bytes: then it was our own write whose
	// answer got lost, and all is well.
	Create(ctx context.Context, key string, data []byte, contentType string) (Object, error)
	// Copy copies within the store without the bytes passing through here where the store can do that, and reads the copy
	// back. ErrDamaged where its digest is not sha256.
	Copy(ctx context.Context, from, to, sha256 string) (Object, error)
	// Remove deletes an object with all its versions; what is not there is no error.
	Remove(ctx context.Context, key string) error
	// List gives every object under a prefix, in order of keys.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// ListVersions gives every version of every object under a prefix, and the marks of deletions where the store keeps such,
	// in order of keys; where it keeps no versions, what List gives.
	ListVersions(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Lock keeps an object from being deleted before a moment. It reports false where the store has no locks.
	Lock(ctx context.Context, key string, until time.Time) (bool, error)
	// AbortUploads ends the uploads under a prefix that were begun before a moment and never finished, and counts them.
	AbortUploads(ctx context.Context, prefix string, before time.Time) (int, error)
	// Check holds the store against what veil needs: it races writers for one key, reads back, and looks for encryption.
	// What it writes lies under probe/ and is removed. ErrUnsafe says what is missing.
	Check(ctx context.Context) (Trust, error)
	// Close frees connections.
	Close() error
}

// Trust is what Check found.
type Trust struct {
	Kind        string `json:"kind"`       // "s3" or "directory"
	Encryption  string `json:"encryption"` // as Object.Encryption
	Conditional bool   `json:"conditional_writes"`
	Versions    bool   `json:"versions"` // the bucket keeps old versions
	Locks       bool   `json:"locks"`    // and can keep them from being deleted
}
