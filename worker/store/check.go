package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Probe is where Check writes.
const Probe = "probe/"

const (
	probeKeys    = 25        // fresh keys that writers race for
	probeWriters = 8         // at once, each with bytes of its own
	probeAge     = time.Hour // what a check that died left behind is removed after this
	probeBytes   = 64 << 10  // of the object that is written, copied and read back
)

// creator writes data where the key is free, and reports whether the store took it: without reading back.
type creator func(ctx context.Context, key string, data []byte) (bool, error)

// probe holds a store against what it promises, and leaves nothing behind. It tells what the store confirmed of encryption.
func probe(ctx context.Context, s Store, create creator) (encryption string, err error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	prefix := Probe + hex.EncodeToString(random[:]) + "/"
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = both(err, sweepProbe(clean, s, prefix))
	}()
	for i := range probeKeys {
		if err := race(ctx, s, fmt.Sprintf("%srace-%d", prefix, i), create); err != nil {
			return "", err
		}
	}
	return roundTrip(ctx, s, prefix)
}

// race lets several writers create one key at once, and a late one: exactly one may win, and its bytes must stay.
func race(ctx context.Context, s Store, key string, create creator) error {
	var group sync.WaitGroup
	var winners, winner atomic.Int64
	faults := make([]error, probeWriters)
	start := make(chan struct{})
	for i := range probeWriters {
		group.Go(func() {
			<-start
			won, err := create(ctx, key, writerBytes(i))
			if won {
				winners.Add(1)
				winner.Store(int64(i))
			}
			faults[i] = err
		})
	}
	close(start)
	group.Wait()
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	late, err := create(ctx, key, writerBytes(probeWriters))
	if err != nil {
		return err
	}
	n := winners.Load()
	if n == 0 && !late {
		return fmt.Errorf("check conditional writes: %w: no writer was told that it won", ErrUnavailable)
	}
	if n != 1 || late {
		return fmt.Errorf("%w: %d of %d writers created the same key, and one that came later: %t", ErrUnsafe, n, probeWriters, late)
	}
	have, _, err := s.Read(ctx, key, 1<<10)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, writerBytes(int(winner.Load()))) {
		return fmt.Errorf("%w: a writer that was told of no success overwrote the one that won", ErrUnsafe)
	}
	return nil
}

func writerBytes(i int) []byte { return fmt.Appendf(nil, "writer %d", i) }

// roundTrip writes, copies, reads back and removes. Put and Copy hold digests and encryption against what is wanted.
func roundTrip(ctx context.Context, s Store, prefix string) (encryption string, err error) {
	data := make([]byte, probeBytes)
	_, _ = rand.Read(data) // never fails
	sum := digestOf(data)
	if _, err := s.Put(ctx, prefix+"put", bytes.NewReader(data), PutOptions{Size: probeBytes, SHA256: sum}); err != nil {
		return "", err
	}
	o, err := s.Copy(ctx, prefix+"put", prefix+"copy", sum)
	if err != nil {
		return "", err
	}
	if err := s.Remove(ctx, prefix+"put"); err != nil {
		return "", err
	}
	switch _, err := s.Fetch(ctx, prefix+"put", io.Discard); {
	case errors.Is(err, ErrNotFound):
		return o.Encryption, nil
	case err != nil:
		return "", err
	}
	return "", fmt.Errorf("%w: what was removed is still there", ErrUnsafe)
}

// sweepProbe removes a check's objects, and what older checks left that died.
func sweepProbe(ctx context.Context, s Store, prefix string) error {
	var keys []string
	for o, err := range s.List(ctx, Probe) {
		if err != nil {
			return fmt.Errorf("clean up after the check: %w", err)
		}
		if strings.HasPrefix(o.Key, prefix) || o.Time.Before(time.Now().Add(-probeAge)) {
			keys = append(keys, o.Key)
		}
	}
	for _, key := range keys {
		if err := s.Remove(ctx, key); err != nil {
			return fmt.Errorf("clean up after the check: %w", err)
		}
	}
	return nil
}
