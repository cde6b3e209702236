package connect

import (
	"context"
	"fmt"
	"io"
	"iter"

	"veil/worker/store"
)

// sources are where clips come from: the store's own incoming/ prefix under the name of IncomingBucket, and what the
// operator named. It reads and nothing else.
type sources struct {
	own   store.Store
	other store.Source // nil where there is none
}

var errNoBucket = fmt.Errorf("no sources are set up: %w", store.ErrNotFound)

func (s sources) Stat(ctx context.Context, bucket, key, version string) (store.Object, error) {
	if bucket != IncomingBucket {
		if s.other == nil {
			return store.Object{}, errNoBucket
		}
		return s.other.Stat(ctx, bucket, key, version)
	}
	o, err := s.own.Stat(ctx, store.Incoming+key)
	return asked(o, version, err)
}

func (s sources) Fetch(ctx context.Context, bucket, key, version string, w io.Writer) (store.Object, error) {
	if bucket != IncomingBucket {
		if s.other == nil {
			return store.Object{}, errNoBucket
		}
		return s.other.Fetch(ctx, bucket, key, version, w)
	}
	o, err := s.own.Fetch(ctx, store.Incoming+key, w)
	return asked(o, version, err)
}

// asked refuses an object that is not the version that was asked for.
func asked(o store.Object, version string, err error) (store.Object, error) {
	if err == nil && version != "" && o.Version != version {
		return store.Object{}, store.ErrChanged
	}
	return o, err
}

func (s sources) List(ctx context.Context, bucket, prefix string) iter.Seq2[store.Object, error] {
	if bucket != IncomingBucket {
		if s.other == nil {
			return func(yield func(store.Object, error) bool) { yield(store.Object{}, errNoBucket) }
		}
		return s.other.List(ctx, bucket, prefix)
	}
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.own.List(ctx, store.Incoming+prefix) {
			if err == nil {
				o.Key = o.Key[len(store.Incoming):]
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// Close closes the operator's sources; the store is its owner's.
func (s sources) Close() error {
	if s.other == nil {
		return nil
	}
	return s.other.Close()
}

var _ store.Source = sources{}
