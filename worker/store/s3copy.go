package store

import (
	"context"
	"net/http"
	"strconv"

	minio "github.com/minio/minio-go/v7"
)

// Copy lets the store copy, in pieces where that takes long, and reads the copy back.
func (s *s3Store) Copy(ctx context.Context, from, to, sha256 string) (Object, error) {
	if err := either(checkKey(from), checkKey(to)); err != nil {
		return Object{}, err
	}
	verb := "copy to " + to
	var src minio.ObjectInfo
	if err := s.client.again(ctx, func() (err error) {
		src, err = s.client.api.StatObject(ctx, s.bucket, s.full(from), minio.StatObjectOptions{})
		return s3Error(ctx, verb, err)
	}); err != nil {
		return Object{}, err
	}
	// Another worker may have been here: what is right already is not replaced.
	if there, err := s.Stat(ctx, to); err == nil && there.Size == src.Size && sha256 != "" {
		if o, err := s.readBack(ctx, verb, written{key: to, size: src.Size, sha256: sha256}); err == nil {
			return o, nil
		}
	}
	var version string
	var err error
	if src.Size <= copyParts*s.partSize {
		version, err = s.copyWhole(ctx, from, to, src)
	} else {
		version, err = s.copyParts(ctx, from, to, src)
	}
	if err != nil {
		return Object{}, err
	}
	return s.readBackOurs(ctx, verb, written{key: to, version: version, size: src.Size, sha256: sha256})
}

func (s *s3Store) copyWhole(ctx context.Context, from, to string, src minio.ObjectInfo) (version string, err error) {
	err = s.client.again(ctx, func() error {
		info, err := s.client.api.Client.CopyObject(slowly(ctx),
			minio.CopyDestOptions{Bucket: s.bucket, Object: s.full(to), Encryption: s.sse},
			minio.CopySrcOptions{Bucket: s.bucket, Object: s.full(from), VersionID: src.VersionID, MatchETag: src.ETag})
		version = info.VersionID
		return s.putError(ctx, "copy to "+to, err)
	})
	return version, err
}

func (s *s3Store) copyParts(ctx context.Context, from, to string, src minio.ObjectInfo) (string, error) {
	size := max(copyParts*s.partSize, (src.Size+maxParts-1)/maxParts)
	match := map[string]string{"X-Amz-Copy-Source-If-Match": src.ETag}
	return s.upload(ctx, "copy to "+to, upload{key: to, options: s.options(src.ContentType, nil),
		parts: int((src.Size + size - 1) / size),
		send: func(id string, i int) (done minio.CompletePart, err error) {
			begin := int64(i) * size
			err = s.client.again(ctx, func() error {
				done, err = s.client.api.CopyObjectPart(slowly(ctx), s.bucket, s.full(from), s.bucket, s.full(to), id, i+1,
					begin, min(size, src.Size-begin), match)
				if err == nil && done.ETag == "" {
					err = minio.ErrorResponse{Code: "NoETag" + strconv.Itoa(i), StatusCode: http.StatusInternalServerError}
				}
				return s3Error(ctx, "copy a part to "+to, err)
			})
			return done, err
		}, ready: func() error { return nil }})
}
