package connect

import (
	"cmp"
	"context"

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

// openSource gives nil where nothing but files that were handed in can be a source.
func (f *Flags) openSource() (store.Source, error) {
	if f.SourceDir != "" {
		return store.OpenDirSource(f.SourceDir)
	}
	endpoint := cmp.Or(f.SourceEndpoint, f.S3Endpoint)
	if endpoint == "" {
		return nil, nil
	}
	key, sec, err := pair("source", f.SourceKeyFile, f.SourceSecretFile)
	if err == nil && key == "" && f.SourceEndpoint == "" {
		key, sec, err = pair("s3", f.S3KeyFile, f.S3SecretFile)
	}
	if err != nil {
		return nil, err
	}
	return store.OpenS3Source(store.S3Options{Endpoint: endpoint, Region: cmp.Or(f.SourceRegion, f.S3Region), AccessKey: key, SecretKey: sec,
		CAFile: cmp.Or(f.SourceCA, f.S3CA), Plain: f.S3Plain})
}

// CheckStore asks the store whether it keeps what veil needs.
func (s *Service) CheckStore(ctx context.Context) (store.Trust, error) {
	trust, err := s.Store.Check(ctx)
	return trust, failure.OfStore(err)
}
