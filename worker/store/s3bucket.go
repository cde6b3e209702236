package store

import (
	"context"
	"encoding/json"
	"errors"

	minio "github.com/minio/minio-go/v7"
)

// errPolicy says that a policy is no JSON.
var errPolicy = errors.New("the bucket's policy is no JSON")

// PrepareBucket makes the bucket of o where it is missing, and puts a policy on it that says who may do what there. It takes an
// account that may do so.
func PrepareBucket(ctx context.Context, o S3Options, policy []byte) error {
	if err := checkBucket(o.Bucket); err != nil {
		return err
	}
	if !json.Valid(policy) {
		return errPolicy
	}
	client, err := newS3Client(o)
	if err != nil {
		return err
	}
	defer client.transport.CloseIdleConnections()
	there, err := client.api.BucketExists(ctx, o.Bucket)
	if err == nil && !there {
		err = client.api.MakeBucket(ctx, o.Bucket, minio.MakeBucketOptions{Region: o.Region})
	}
	if err != nil {
		return s3Error(ctx, "make bucket", err)
	}
	return s3Error(ctx, "set policy of the bucket", client.api.SetBucketPolicy(ctx, o.Bucket, string(policy)))
}
