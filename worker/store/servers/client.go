package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
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

// Account makes an account that may do what a policy says and nothing else, the way an operator of that server does. The
// policy is that of a user; bucket is the one that it speaks of.
func (s *Server) Account(bucket, policy string) Keys {
	s.t.Helper()
	if s.Name == versitygw.name {
		return s.versityAccount(bucket, policy)
	}
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

// versityAccount makes a user, and names it in the policy of the bucket: versitygw has no policies of users.
func (s *Server) versityAccount(bucket, policy string) Keys {
	s.t.Helper()
	k := Keys{Access: "account-of-" + bucket, Secret: "account-secret-4711"}
	args := []string{"admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--endpoint-url", s.Endpoint, "--allow-insecure"}
	s.Command(append(args, "create-user", "--access", k.Access, "--secret", k.Secret, "--role", "user")...)
	var doc struct {
		Version   string
		Statement []map[string]any
	}
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		s.t.Fatal(err)
	}
	for _, statement := range doc.Statement {
		statement["Principal"] = map[string]any{"AWS": []string{k.Access}}
	}
	full, err := json.Marshal(doc)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.Client().SetBucketPolicy(s.t.Context(), bucket, string(full)); err != nil {
		s.t.Fatalf("set policy %s: %v", full, err)
	}
	return k
}
