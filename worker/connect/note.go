package connect

import (
	"cmp"
	"context"
	"os"
	"os/user"
	"strings"

	"veil/worker/access"
	"veil/worker/failure"
	"veil/worker/store"
)

// AccessFlags say where the access log lies, and what the entries of this command tell of who asks and why.
type AccessFlags struct {
	AccessLog string `group:"service" placeholder:"s3://BUCKET|FOLDER" help:"Where the access log lies (default: access/ in the store; of a veil dev the folder access)."`
	Person    string `group:"service" placeholder:"NAME" help:"Who asks, for the access log (default: account and machine)."`
	Occasion  string `group:"service" placeholder:"TEXT" help:"Why, for the access log, where the command asks for no reason."`
}

// openAccess opens the access log: in a store of its own, or beside what the store holds.
func (f *Flags) openAccess(s *Service) error {
	at := s.Store
	if f.AccessLog != "" {
		own, err := f.openStoreAt(f.AccessLog)
		if err != nil {
			return failure.OfStore(err)
		}
		s.ownLog, at = own, own
	}
	s.Access = access.New(at, access.Options{})
	s.Person, s.occasion = cmp.Or(f.Person, Account()), f.Occasion
	return nil
}

// Account names whoever runs this program: account and machine.
func Account() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// Note writes an entry of the access log for a command. Who, and why where the entry does not say, come from the flags.
func (s *Service) Note(ctx context.Context, e access.Entry) error {
	return failure.OfStore(s.Log(ctx, e))
}

// Log is Note with the store's own errors, by which the fate of a job is decided.
func (s *Service) Log(ctx context.Context, e access.Entry) error {
	e.Person, e.Reason = access.Short(cmp.Or(e.Person, s.Person)), access.Short(cmp.Or(e.Reason, s.occasion))
	e.Case, e.Recipient = access.Short(e.Case), access.Short(e.Recipient)
	return s.Access.Write(ctx, e)
}

// openStoreAt opens a bucket or a folder with the flags of the store.
func (f *Flags) openStoreAt(address string) (store.Store, error) {
	want := store.Encryption(f.Encryption)
	bucket, s3 := strings.CutPrefix(address, "s3://")
	if !s3 {
		return store.OpenDir(address, store.DirOptions{Encryption: want})
	}
	o, err := f.s3Options(bucket)
	if err != nil {
		return nil, err
	}
	return store.OpenS3(o)
}

// s3Options are those of a bucket at the store's server.
func (f *Flags) s3Options(bucket string) (store.S3Options, error) {
	l, err := f.storeLogin()
	if err != nil {
		return store.S3Options{}, err
	}
	return store.S3Options{Endpoint: f.S3Endpoint, Region: f.S3Region, Bucket: bucket, AccessKey: l.key, SecretKey: l.secret,
		SessionToken: l.token, CAFile: f.S3CA, Plain: f.S3Plain, Encryption: store.Encryption(f.Encryption), KMSKey: f.S3KMSKey, Idle: f.S3Idle}, nil
}
