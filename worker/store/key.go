package store

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrKey says that a key or the name of a bucket is not one that veil uses: empty, too long, with "..", or with empty parts.
var ErrKey = errors.New("the key is not one that the store accepts")

const (
	maxKeyBytes  = 1024 // as in S3
	maxPartBytes = 255  // a file's name
)

// tempPrefix begins the names of files that are still being written. No key has a part that begins like that.
const tempPrefix = ".veil-tmp-"

// checkKey holds a key against what all stores can keep, and what leads nowhere else. The error never names the key: a
// source's key can be a person's name.
func checkKey(key string) error {
	if err := checkForeignKey(key); err != nil {
		return err
	}
	for part := range strings.SplitSeq(key, "/") {
		switch {
		case part == "":
			return fmt.Errorf("%w: it has an empty part", ErrKey)
		case len(part) > maxPartBytes:
			return fmt.Errorf("%w: a part is longer than %d bytes", ErrKey, maxPartBytes)
		case strings.HasPrefix(part, tempPrefix):
			return fmt.Errorf("%w: a part begins with %s", ErrKey, tempPrefix)
		}
	}
	return nil
}

// checkForeignKey is checkKey for objects that others named: S3 keys may have empty parts.
func checkForeignKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrKey)
	case len(key) > maxKeyBytes:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrKey, maxKeyBytes)
	}
	return checkPrefix(key)
}

// checkPrefix refuses what a proxy or a file system could read as another place, and what XML cannot carry.
func checkPrefix(prefix string) error {
	if !utf8.ValidString(prefix) || strings.ContainsFunc(prefix, unicode.IsControl) {
		return fmt.Errorf("%w: it has control characters, or is not UTF-8", ErrKey)
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("%w: it has a part %q", ErrKey, part)
		}
	}
	return nil
}

// checkBucket accepts the names of folders and of S3 buckets.
func checkBucket(bucket string) error {
	if strings.Contains(bucket, "/") {
		return fmt.Errorf("%w: a bucket has no slash in its name", ErrKey)
	}
	return checkKey(bucket)
}
