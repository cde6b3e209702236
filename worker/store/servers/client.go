package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	minio "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Client speaks to the server with its first account. Tests use it for what the store has no words for.
func (s *Server) Client() *minio.Core {
	s.t.Helper()
	return s.ClientAs(credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""))
}

// ClientAs speaks to the server with other credentials.
func (s *Server) ClientAs(creds *credentials.Credentials) *minio.Core {
	s.t.Helper()
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := s.transport()
	core, err := minio.NewCore(u.Host, &minio.Options{Creds: creds, Secure: u.Scheme == "https", Region: "us-east-1",
		BucketLookup: minio.BucketLookupPath, MaxRetries: 1, Transport: transport})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return core
}

func (s *Server) transport() *http.Transport {
	s.t.Helper()
	t := &http.Transport{DisableCompression: true}
	if s.CAFile != "" {
		data, err := os.ReadFile(s.CAFile)
		if err != nil {
			s.t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(data)
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t
}

// wait waits until the server answers a signed request.
func (s *Server) wait(ctx context.Context) error {
	c := s.Client()
	for {
		_, err := c.ListBuckets(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// MakeBucket makes a bucket, with versions where wanted.
func (s *Server) MakeBucket(name string, versions bool) {
	s.t.Helper()
	ctx, c := s.t.Context(), s.Client()
	if err := c.MakeBucket(ctx, name, minio.MakeBucketOptions{}); err != nil {
		s.t.Fatal(err)
	}
	if versions {
		if err := c.EnableVersioning(ctx, name); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Keys are credentials of one account.
type Keys struct{ Access, Secret, Token string }

// Reader makes an account that may only read a bucket, the way an operator of that server does.
func (s *Server) Reader(bucket string) Keys {
	s.t.Helper()
	if s.Name == versitygw.name {
		return s.versityReader(bucket)
	}
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": %s, "Resource": %s}]}`,
		readActions, resources(bucket))
	creds, err := credentials.NewSTSAssumeRole(s.Endpoint, credentials.STSAssumeRoleOptions{AccessKey: s.AccessKey,
		SecretKey: s.SecretKey, Policy: policy, Location: "us-east-1", DurationSeconds: 3600})
	if err != nil {
		s.t.Fatal(err)
	}
	transport := s.transport()
	defer transport.CloseIdleConnections()
	v, err := creds.GetWithContext(&credentials.CredContext{Client: &http.Client{Transport: transport}})
	if err != nil {
		s.t.Fatal(err)
	}
	return Keys{v.AccessKeyID, v.SecretAccessKey, v.SessionToken}
}

// readActions are what docs/store.md gives to the credentials for sources.
const readActions = `["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:GetBucketLocation"]`

func resources(bucket string) string {
	return fmt.Sprintf(`["arn:aws:s3:::%s", "arn:aws:s3:::%s/*"]`, bucket, bucket)
}

func (s *Server) versityReader(bucket string) Keys {
	s.t.Helper()
	k := Keys{Access: "reader-of-" + bucket, Secret: "reader-secret-4711"}
	s.Command("admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--endpoint-url", s.Endpoint, "--allow-insecure",
		"create-user", "--access", k.Access, "--secret", k.Secret, "--role", "user")
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": [%q]},
		"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::%s/*"}, {"Effect": "Allow",
		"Principal": {"AWS": [%q]}, "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": "arn:aws:s3:::%s"}]}`,
		k.Access, bucket, k.Access, bucket)
	if err := s.Client().SetBucketPolicy(s.t.Context(), bucket, policy); err != nil {
		s.t.Fatal(err)
	}
	return k
}
