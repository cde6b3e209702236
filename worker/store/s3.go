package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	minio "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
)

const (
	minPartSize     = 5 << 20 // S3's own
	defaultPartSize = 16 << 20
	maxParts        = 10_000
	versionNull     = "null" // of objects that were there before the bucket kept versions
)

// S3Options say where an object store is and what is wanted of it.
type S3Options struct {
	Endpoint     string // http(s)://HOST[:PORT]
	Region       string // default us-east-1
	Bucket       string // of a Store; a Source is told with each call
	Prefix       string // of every key of a Store, ending in "/", or empty
	AccessKey    string
	SecretKey    string
	SessionToken string
	CAFile       string // PEM; default the machine's
	// Plain allows http to another machine than this one.
	Plain bool
	// PartSize is that of a multipart upload in bytes; default 16 MiB, at least 5 MiB.
	PartSize int64
	// Encryption: default Required.
	Encryption Encryption
	// KMSKey names the key at the store's key service; empty for the store's own (SSE-S3).
	KMSKey string
	// Idle is how long the store may say nothing in the middle of a request; default 60 s.
	Idle time.Duration
}

// s3Client is what Store and Source share: requests that read.
type s3Client struct {
	api       *minio.Core
	transport *http.Transport
	patience  *patience
	want      Encryption
	idle      time.Duration
}

// s3Source reads from buckets. It has no way to write.
type s3Source struct{ client *s3Client }

// s3Store is one bucket of our own, or a prefix of it.
type s3Store struct {
	client   *s3Client
	bucket   string
	prefix   string
	partSize int64
	sse      encrypt.ServerSide // nil where nothing is asked for

	mu        sync.Mutex
	versioned *bool // whether the bucket keeps versions; nil before it was asked
}

// OpenS3 opens a bucket as a store. It says nothing to the server yet: Check does.
func OpenS3(o S3Options) (Store, error) {
	client, err := newS3Client(o)
	if err != nil {
		return nil, err
	}
	if err := checkBucket(o.Bucket); err != nil {
		return nil, fmt.Errorf("bucket of the store: %w", err)
	}
	if o.Prefix != "" {
		if !strings.HasSuffix(o.Prefix, "/") {
			return nil, fmt.Errorf("prefix of the store: %w: it has to end in a slash", ErrKey)
		}
		if err := checkKey(strings.TrimSuffix(o.Prefix, "/")); err != nil {
			return nil, fmt.Errorf("prefix of the store: %w", err)
		}
	}
	s := &s3Store{client: client, bucket: o.Bucket, prefix: o.Prefix, partSize: defaultPartSize}
	if o.PartSize != 0 {
		s.partSize = o.PartSize
	}
	if s.partSize < minPartSize {
		return nil, fmt.Errorf("part size of the store is %d bytes: S3 takes no less than %d", s.partSize, minPartSize)
	}
	if client.want == Required {
		s.sse = encrypt.NewSSE()
		if o.KMSKey != "" {
			if s.sse, err = encrypt.NewSSEKMS(o.KMSKey, nil); err != nil {
				return nil, fmt.Errorf("set up encryption of the store: %w", err)
			}
		}
	}
	return s, nil
}

// OpenS3Source opens a server to read from any of its buckets. It says nothing to the server yet.
func OpenS3Source(o S3Options) (Source, error) {
	if o.Encryption == "" {
		o.Encryption = Off // sources are as they are
	}
	client, err := newS3Client(o)
	if err != nil {
		return nil, err
	}
	return &s3Source{client: client}, nil
}

func newS3Client(o S3Options) (*s3Client, error) {
	want, err := o.Encryption.valid()
	if err != nil {
		return nil, err
	}
	host, secure, err := endpoint(o)
	if err != nil {
		return nil, err
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, fmt.Errorf("open the store: %w: access key or secret key is missing", ErrDenied)
	}
	transport, err := newTransport(o.CAFile)
	if err != nil {
		return nil, err
	}
	if o.Idle == 0 {
		o.Idle = defaultIdle
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	patient := &patience{next: transport, idle: o.Idle}
	api, err := minio.NewCore(host, &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken),
		Secure:       secure,
		Transport:    patient,
		Region:       o.Region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1, // the SDK's hide minutes
	})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return &s3Client{api: api, transport: transport, patience: patient, want: want, idle: o.Idle}, nil
}

// endpoint splits the store's address.
func endpoint(o S3Options) (host string, secure bool, err error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return "", false, errors.New("address of the store: say https://HOST or https://HOST:PORT, and nothing more")
	}
	switch u.Scheme {
	case "https":
		return u.Host, true, nil
	case "http":
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() || o.Plain {
			return u.Host, false, nil
		}
		return "", false, fmt.Errorf("address of the store: %w: http to another machine: say https, or allow plain connections", ErrUnsafe)
	}
	return "", false, errors.New("address of the store: it begins with neither https:// nor http://")
}

// retries are the pauses before a request that changes nothing when repeated is sent again.
var retries = []time.Duration{100 * time.Millisecond, 500 * time.Millisecond}

// again calls f, and again where the store was not there, until it would last longer than the store may say nothing.
func (c *s3Client) again(ctx context.Context, f func() error) error {
	begun := time.Now()
	err := f()
	for _, pause := range retries {
		if !errors.Is(err, ErrUnavailable) || time.Since(begun) > c.idle/2 || sleep(ctx, pause) != nil {
			return err
		}
		err = f()
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ended(ctx)
	case <-t.C:
		return nil
	}
}

func (c *s3Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// object describes what the SDK described.
func (c *s3Client) object(key string, i minio.ObjectInfo) Object {
	o := Object{Key: key, Size: i.Size, ETag: i.ETag, Time: i.LastModified, Version: i.VersionID}
	if o.Version == versionNull {
		o.Version = ""
	}
	o.Encryption = c.want.record(i.Metadata.Get("X-Amz-Server-Side-Encryption"))
	return o
}

// confirmed is what the store itself said of an object's encryption.
func confirmed(o Object) string {
	if o.Encryption == declared {
		return ""
	}
	return o.Encryption
}

func (c *s3Client) stat(ctx context.Context, bucket, key, version string) (o Object, err error) {
	err = c.again(ctx, func() error {
		info, err := c.api.StatObject(ctx, bucket, key, minio.StatObjectOptions{VersionID: version})
		if err != nil {
			return s3Error(ctx, "look at an object", versionError(version, err))
		}
		o = c.object(key, info)
		return nil
	})
	return o, err
}

// versionError gives the answers to versions that never were, or that are a deletion, the code of what is not there.
func versionError(version string, err error) error {
	var resp minio.ErrorResponse
	if version != "" && errors.As(err, &resp) &&
		(resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusMethodNotAllowed) {
		resp.Code = "NoSuchVersion"
		return resp
	}
	return err
}

// list gives objects whose keys begin with a prefix. trim is cut off their keys.
func (c *s3Client) list(ctx context.Context, bucket, prefix, trim string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Object{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		last, owner := "", false
		for info := range c.api.ListObjectsIter(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, FetchOwner: &owner}) {
			if info.Err != nil {
				yield(Object{}, s3Error(ctx, "list the store", info.Err))
				return
			}
			if info.Key <= last {
				yield(Object{}, fmt.Errorf("list the store: %w: it lists keys out of order", ErrUnsafe))
				return
			}
			last = info.Key
			o := c.object(strings.TrimPrefix(info.Key, trim), info)
			o.Encryption = "" // listings do not tell
			if !yield(o, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(Object{}, fmt.Errorf("list the store: %w", ended(ctx)))
		}
	}
}

// Stat describes an object of a bucket.
func (s *s3Source) Stat(ctx context.Context, bucket, key, version string) (Object, error) {
	if err := either(checkBucket(bucket), checkForeignKey(key)); err != nil {
		return Object{}, err
	}
	return s.client.stat(ctx, bucket, key, version)
}

// Fetch streams an object of a bucket.
func (s *s3Source) Fetch(ctx context.Context, bucket, key, version string, w io.Writer) (Object, error) {
	if err := either(checkBucket(bucket), checkForeignKey(key)); err != nil {
		return Object{}, err
	}
	return s.client.fetch(ctx, place{bucket, key, version}, w)
}

// List gives a bucket's objects. Their Version is empty: Stat tells it.
func (s *s3Source) List(ctx context.Context, bucket, prefix string) iter.Seq2[Object, error] {
	if err := checkBucket(bucket); err != nil {
		return func(yield func(Object, error) bool) { yield(Object{}, err) }
	}
	return s.client.list(ctx, bucket, prefix, "")
}

// Close closes idle connections.
func (s *s3Source) Close() error { return s.client.Close() }
