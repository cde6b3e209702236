package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ErrClock says that the clocks of this machine and of the store tell different times: one of them is wrong.
var ErrClock = errors.New("the clocks of this machine and of the store differ")

// MaxSkew is how far the clocks of a machine and of the store may lie apart.
const MaxSkew = 5 * time.Minute

// CheckClock holds a clock of this machine against the store's: it writes a small object under probe/ and asks the store when
// that was. ErrClock where they lie further apart than MaxSkew. In a folder of this machine's own disk both are the same clock,
// and nothing is found out.
func CheckClock(ctx context.Context, s Store, now func() time.Time) (err error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	key := Probe + "clock-" + hex.EncodeToString(random[:])
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, s.Remove(clean, key))
	}()
	before := now()
	if _, err := s.Put(ctx, key, bytes.NewReader(random[:]), PutOptions{Size: int64(len(random))}); err != nil {
		return fmt.Errorf("ask the store's clock: %w", err)
	}
	o, err := s.Stat(ctx, key)
	if err != nil {
		return fmt.Errorf("ask the store's clock: %w", err)
	}
	switch after := now(); {
	case before.Sub(o.Time) > MaxSkew:
		return fmt.Errorf("%w: this machine's is %s ahead", ErrClock, before.Sub(o.Time).Round(time.Second))
	case o.Time.Sub(after) > MaxSkew:
		return fmt.Errorf("%w: the store's is %s ahead", ErrClock, o.Time.Sub(after).Round(time.Second))
	}
	return nil
}
