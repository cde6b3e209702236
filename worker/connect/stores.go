package connect

import (
	"cmp"
	"context"
	"strings"

	"veil/worker/failure"
	"veil/worker/store"
)

// OpenStores opens the store, the sources and the access log that the flags name. Nothing is asked of them yet.
func (f *Flags) OpenStores(s *Service) error {
	var err error
	if s.Store, err = f.openStoreAt(f.Store); err != nil {
		return failure.OfStore(err)
	}
	from, err := f.openSource()
	if err != nil {
		return failure.OfStore(err)
	}
	s.Source = sources{own: s.Store, other: from}
	return f.openAccess(s)
}

// storeLogin reads the login of our own store.
func (f *Flags) storeLogin() (login, error) {
	return loginFiles{key: f.S3KeyFile, secret: f.S3SecretFile, token: f.S3TokenFile}.login("s3")
}

// openSource gives nil where nothing but files that were handed in can be a source.
func (f *Flags) openSource() (store.Source, error) {
	if f.SourceDir != "" {
		return store.OpenDirSource(f.SourceDir)
	}
	endpoint := cmp.Or(f.SourceEndpoint, f.S3Endpoint)
	if endpoint == "" {
		return nil, nil
	}
	l, err := loginFiles{key: f.SourceKeyFile, secret: f.SourceSecretFile, token: f.SourceTokenFile}.login("source")
	if err == nil && l.key == "" && f.SourceEndpoint == "" {
		l, err = f.storeLogin()
	}
	if err != nil {
		return nil, err
	}
	return store.OpenS3Source(store.S3Options{Endpoint: endpoint, Region: cmp.Or(f.SourceRegion, f.S3Region), AccessKey: l.key, SecretKey: l.secret,
		SessionToken: l.token, CAFile: cmp.Or(f.SourceCA, f.S3CA), Plain: f.S3Plain, Idle: f.S3Idle})
}

// PrepareBucket makes the store's bucket where it is missing and puts a policy on it.
func (f *Flags) PrepareBucket(ctx context.Context, policy []byte) error {
	bucket, s3 := strings.CutPrefix(f.Store, "s3://")
	if !s3 {
		return failure.Usagef("leave it out", "a folder has no policy")
	}
	o, err := f.s3Options(bucket)
	if err != nil {
		return err
	}
	return failure.OfStore(store.PrepareBucket(ctx, o, policy))
}

// CheckStore asks the store whether it keeps what veil needs.
func (s *Service) CheckStore(ctx context.Context) (store.Trust, error) {
	trust, err := s.Store.Check(ctx)
	return trust, failure.OfStore(err)
}
