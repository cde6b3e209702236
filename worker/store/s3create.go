package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	minio "github.com/minio/minio-go/v7"
)

// Create writes where the key is free. A lost answer shows as our own refusal when it is sent again: the bytes tell.
func (s *s3Store) Create(ctx context.Context, key string, data []byte, contentType string) (Object, error) {
	won, err := s.create(ctx, key, data, contentType)
	if err != nil {
		return Object{}, err
	}
	o, err := s.readBack(ctx, "create "+key, written{key: key, size: int64(len(data)), sha256: digestOf(data)})
	if errors.Is(err, ErrUnsafe) && won {
		err = both(err, s.removeVersion(context.WithoutCancel(ctx), key, ""))
	}
	if errors.Is(err, ErrDamaged) && !won {
		return Object{}, fmt.Errorf("create %s: %w", key, ErrExists)
	}
	return o, err
}

// create reports whether the store took the bytes, by one request: in parts the condition would be lost.
func (s *s3Store) create(ctx context.Context, key string, data []byte, contentType string) (won bool, err error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	if len(data) > createLimit {
		return false, fmt.Errorf("create %s: %d bytes are more than %d", key, len(data), createLimit)
	}
	sum := sha256.Sum256(data)
	opts := s.options(contentType, map[string]string{checksumSHA: base64.StdEncoding.EncodeToString(sum[:])})
	opts.SetMatchETagExcept("*")
	err = s.client.again(ctx, func() error {
		_, err := s.client.api.PutObject(ctx, s.bucket, s.full(key), bytes.NewReader(data), int64(len(data)), "",
			hex.EncodeToString(sum[:]), opts)
		var resp minio.ErrorResponse
		switch {
		case errors.As(err, &resp) && (isTaken(resp) || resp.Code == "ObjectAlreadyExists"):
			won = false
			return nil
		case errors.As(err, &resp) && resp.Code == "ConditionalRequestConflict": // another is at it: ask again
			return fmt.Errorf("create %s: %w: another writes the same key", key, ErrUnavailable)
		}
		won = err == nil
		return s.putError(ctx, "create "+key, err)
	})
	return won && err == nil, err
}
