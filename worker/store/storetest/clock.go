package storetest

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"

	"veil/worker/store"
)

// Clocked is a store whose clock is the test's: what is put through it was put when that says. What was there before keeps its time.
func Clocked(s store.Store, now func() time.Time) store.Store {
	return &clocked{Store: s, now: now, at: map[string]time.Time{}}
}

type clocked struct {
	store.Store
	now func() time.Time
	mu  sync.Mutex
	at  map[string]time.Time // by key
}

func (c *clocked) mark(key string, o store.Object, err error) (store.Object, error) {
	if err == nil {
		c.mu.Lock()
		c.at[key] = c.now()
		c.mu.Unlock()
		o = c.told(o)
	}
	return o, err
}

func (c *clocked) told(o store.Object) store.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.at[o.Key]; ok {
		o.Time = at
	}
	return o
}

func (c *clocked) Put(ctx context.Context, key string, r io.ReaderAt, p store.PutOptions) (store.Object, error) {
	o, err := c.Store.Put(ctx, key, r, p)
	return c.mark(key, o, err)
}

func (c *clocked) Create(ctx context.Context, key string, data []byte, kind string) (store.Object, error) {
	o, err := c.Store.Create(ctx, key, data, kind)
	return c.mark(key, o, err)
}

func (c *clocked) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := c.Store.Stat(ctx, key)
	return c.told(o), err
}

func (c *clocked) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return c.each(c.Store.List(ctx, prefix))
}

func (c *clocked) ListVersions(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return c.each(c.Store.ListVersions(ctx, prefix))
}

func (c *clocked) each(list iter.Seq2[store.Object, error]) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range list {
			if !yield(c.told(o), err) {
				return
			}
		}
	}
}
