package store

import (
	"context"
	"fmt"
	"time"
)

// removeRounds is how often RemoveAll looks again: somebody may still be writing.
const removeRounds = 3

// RemoveAll deletes everything under a prefix for good: all versions, the marks of earlier deletions, and uploads that nobody
// finished. It looks again afterwards and counts the versions that it removed; ErrDamaged says that something is still there.
// Call it when nobody writes there any more.
func RemoveAll(ctx context.Context, s Store, prefix string) (removed int, err error) {
	for range removeRounds {
		if _, err := s.AbortUploads(ctx, prefix, time.Now().Add(time.Hour)); err != nil {
			return removed, fmt.Errorf("remove everything: %w", err)
		}
		versions, keys, err := remains(ctx, s, prefix)
		if err != nil {
			return removed, fmt.Errorf("remove everything: %w", err)
		}
		if versions == 0 {
			return removed, nil
		}
		for _, key := range keys {
			if err := s.Remove(ctx, key); err != nil {
				return removed, fmt.Errorf("remove everything: %w", err)
			}
		}
		removed += versions
	}
	versions, _, err := remains(ctx, s, prefix)
	if err != nil {
		return removed, fmt.Errorf("remove everything: %w", err)
	}
	if versions > 0 {
		return removed, fmt.Errorf("remove everything: %w: %d versions are still there", ErrDamaged, versions)
	}
	return removed, nil
}

// remains counts the versions under a prefix and lists their keys, each once.
func remains(ctx context.Context, s Store, prefix string) (versions int, keys []string, err error) {
	for o, err := range s.ListVersions(ctx, prefix) {
		if err != nil {
			return versions, keys, err
		}
		versions++
		if n := len(keys); n == 0 || keys[n-1] != o.Key {
			keys = append(keys, o.Key)
		}
	}
	return versions, keys, nil
}
