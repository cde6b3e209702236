// Package connect reaches queue, store and sources: the flags that say where they are, where secrets come from, and how a
// running veil dev is found by its folder. It asks nothing of them but whether they keep what veil needs; whoever connects
// closes the Service.
package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/access"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/store"
)

// Flags say where queue and store are. Secrets come from files or the environment, never from a flag, which every
// user of the machine could read.
type Flags struct {
	Dir string `group:"service" placeholder:"FOLDER" help:"Data folder of a running veil dev (default: ./veil-data where --nats is not given)."`

	Nats      string `group:"service" placeholder:"URL" help:"NATS server, or several with commas."`
	NatsCreds string `group:"service" placeholder:"FILE" help:"NATS credentials."`
	NatsCA    string `name:"nats-ca" group:"service" placeholder:"FILE" help:"Certificates that vouch for the NATS server."`
	NatsCert  string `group:"service" placeholder:"FILE" help:"This client's certificate for NATS."`
	NatsKey   string `group:"service" placeholder:"FILE" help:"Key of this client's certificate."`
	// SubmitOnly is for an account that may not write records (docker/compose/accounts.conf has one).
	SubmitOnly bool `group:"service" help:"This account of the queue may hand jobs in and read, nothing else."`

	Store        string        `group:"service" placeholder:"s3://BUCKET|FOLDER" help:"Where derivatives and evidence lie."`
	S3Endpoint   string        `name:"s3-endpoint" env:"VEIL_S3_ENDPOINT" group:"service" placeholder:"URL" help:"Address of the object store."`
	S3Region     string        `name:"s3-region" env:"VEIL_S3_REGION" group:"service" default:"us-east-1" placeholder:"NAME" help:"Region of the object store."`
	S3CA         string        `name:"s3-ca" env:"VEIL_S3_CA" group:"service" placeholder:"FILE" help:"Certificates that vouch for the object store."`
	S3KeyFile    string        `name:"s3-key-file" env:"VEIL_S3_KEY_FILE" group:"service" placeholder:"FILE" help:"File with the access key (or VEIL_S3_KEY)."`
	S3SecretFile string        `name:"s3-secret-file" env:"VEIL_S3_SECRET_FILE" group:"service" placeholder:"FILE" help:"File with the secret key (or VEIL_S3_SECRET)."`
	S3TokenFile  string        `name:"s3-token-file" env:"VEIL_S3_TOKEN_FILE" group:"service" placeholder:"FILE" help:"File with the session token that belongs to temporary keys (or VEIL_S3_TOKEN)."`
	S3Idle       time.Duration `name:"s3-idle" env:"VEIL_S3_IDLE" group:"service" default:"1m" placeholder:"TIME" help:"How long the object stores may say nothing in the middle of a request."`
	S3Plain      bool          `name:"s3-plain" env:"VEIL_S3_PLAIN" group:"service" help:"Allow http to another machine."`
	S3KMSKey     string        `name:"s3-kms-key" env:"VEIL_S3_KMS_KEY" group:"service" placeholder:"NAME" help:"Key at the store's key service (default: the store's own)."`
	Encryption   string        `group:"service" enum:"required,declared,off" default:"required" help:"required: the store confirms it; declared: you answer for the disk below; off."`

	SourceDir        string `group:"service" placeholder:"FOLDER" help:"Clips come from folders in here, one for each bucket, instead of from the object store."`
	SourceEndpoint   string `group:"service" placeholder:"URL" help:"Object store of the clips (default: the same)."`
	SourceRegion     string `group:"service" placeholder:"NAME" help:"Its region."`
	SourceCA         string `name:"source-ca" group:"service" placeholder:"FILE" help:"Certificates that vouch for it."`
	SourceKeyFile    string `group:"service" placeholder:"FILE" help:"File with an access key that may only read clips (or VEIL_SOURCE_KEY)."`
	SourceSecretFile string `group:"service" placeholder:"FILE" help:"File with its secret key (or VEIL_SOURCE_SECRET)."`
	SourceTokenFile  string `group:"service" placeholder:"FILE" help:"File with its session token (or VEIL_SOURCE_TOKEN)."`

	AccessFlags

	token string       // of a running veil dev
	Log   *slog.Logger `kong:"-"` // hears of the connection's ups and downs; nil for short commands
}

// IncomingBucket is the bucket under whose name a job's source means the store's own incoming/ prefix.
const IncomingBucket = "incoming"

// JobRecordKey is where the canonical job lies for as long as anything of it is kept: from it an unfinished job comes back
// after the queue's own files were lost.
func JobRecordKey(id string) string { return store.Restricted + id + "/" + store.JobName }

// Service is the open connections of one command.
type Service struct {
	Queue  *jobs.Queue
	Store  store.Store
	Source store.Source // bucket IncomingBucket is the store's own incoming/ prefix
	NC     *nats.Conn
	Access *access.Log
	Person string // who stands in the access log

	ownLog   store.Store // of the access log, where it has one
	occasion string
}

// Connect opens queue, store and sources. Close the service.
func (f *Flags) Connect(ctx context.Context, o jobs.Options) (*Service, error) {
	s, err := f.Open()
	if err != nil {
		return nil, err
	}
	o.MessageOnly = f.SubmitOnly
	if s.Queue, err = jobs.Open(ctx, s.NC, o); err != nil {
		return nil, errors.Join(failure.OfQueue(err), s.Close())
	}
	return s, nil
}

// Open is connect without the queue, which may not be set up yet.
func (f *Flags) Open() (*Service, error) {
	if err := f.findDev(); err != nil {
		return nil, err
	}
	nc, err := f.dial()
	if err != nil {
		return nil, err
	}
	s := &Service{NC: nc}
	if err := f.OpenStores(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends everything that connect opened.
func (s *Service) Close() error {
	var errs []error
	if s.Source != nil {
		errs = append(errs, s.Source.Close())
	}
	if s.ownLog != nil {
		errs = append(errs, s.ownLog.Close())
	}
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	if s.NC != nil {
		s.NC.Close()
	}
	return errors.Join(errs...)
}

const (
	dialLimit     = 5 * time.Second
	reconnectWait = 500 * time.Millisecond
)

// dial connects to NATS. A connection that breaks later is taken up again for as long as it takes, also where the server refuses
// it for a while, as it may while certificates or accounts are renewed: the files of --nats-ca, --nats-cert, --nats-key and
// --nats-creds are read anew at each try. No word waits in a buffer until it is stale.
func (f *Flags) dial(more ...nats.Option) (*nats.Conn, error) {
	o := []nats.Option{
		nats.Name("veil"), nats.Timeout(dialLimit), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { f.say("queue", err) }),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				f.say("queue is away", cmp.Or(err, nats.ErrDisconnected))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { f.say("queue is back", nil) }),
	}
	if f.token != "" {
		o = append(o, nats.Token(f.token))
	}
	if f.NatsCreds != "" {
		o = append(o, nats.UserCredentials(f.NatsCreds))
	}
	if f.NatsCA != "" {
		o = append(o, nats.RootCAs(f.NatsCA))
	}
	if f.NatsCert != "" || f.NatsKey != "" {
		o = append(o, nats.ClientCert(f.NatsCert, f.NatsKey))
	}
	nc, err := nats.Connect(f.Nats, append(o, more...)...)
	if err != nil {
		return nil, failure.OfQueue(err)
	}
	return nc, nil
}

// say logs what becomes of the connection, where there is a log.
func (f *Flags) say(what string, err error) {
	switch {
	case f.Log == nil:
	case err != nil:
		f.Log.Warn(what, "error", err)
	default:
		f.Log.Info(what)
	}
}

// DevFile lies in veil dev's folder and says, to whoever may read it, how to reach it.
const DevFile = "dev.json"

// DevAddress is what DevFile holds. Folders are relative to the one it lies in.
type DevAddress struct {
	Nats    string `json:"nats"`
	Token   string `json:"token"`
	Store   string `json:"store"`
	Sources string `json:"sources"`
	Access  string `json:"access"`
}

// DevDir is where veil dev keeps its data.
const DevDir = "veil-data"

// findDev fills in where a running veil dev is reached, unless the flags name servers.
func (f *Flags) findDev() error {
	if f.Nats != "" {
		if f.Dir != "" {
			return failure.Usagef("give one of them", "--dir names a running veil dev, --nats another server")
		}
		return f.check()
	}
	dir := f.Dir
	if dir == "" {
		dir = DevDir
	}
	b, err := os.ReadFile(filepath.Join(dir, DevFile))
	if err != nil {
		return failure.Usagef("start `veil dev`, or name its folder with --dir, or servers with --nats and --store",
			"there is no veil dev in %s", dir)
	}
	var d DevAddress
	if err := json.Unmarshal(b, &d); err != nil {
		return failure.Newf(failure.Setup, "start `veil dev` again", "%s in %s makes no sense", DevFile, dir)
	}
	f.Nats, f.token, f.Encryption = d.Nats, d.Token, "off"
	f.Store, f.SourceDir = filepath.Join(dir, d.Store), filepath.Join(dir, d.Sources)
	if f.AccessLog == "" && d.Access != "" {
		f.AccessLog = filepath.Join(dir, d.Access)
	}
	return nil
}

// check holds the flags that name servers against each other.
func (f *Flags) check() error {
	bucket, s3 := strings.CutPrefix(f.Store, "s3://")
	logBucket, logS3 := strings.CutPrefix(f.AccessLog, "s3://")
	switch {
	case f.Store == "":
		return failure.Usagef("name a bucket (s3://BUCKET) or a folder", "--store is missing")
	case s3 && (bucket == "" || strings.Contains(bucket, "/")):
		return failure.Usagef("give s3://BUCKET", "--store names no bucket")
	case logS3 && (logBucket == "" || strings.Contains(logBucket, "/") || !s3):
		return failure.Usagef("give s3://BUCKET of the same server, or a folder", "--access-log names no bucket beside the store's")
	case s3 && f.S3Endpoint == "":
		return failure.Usagef("give its URL", "--s3-endpoint is missing")
	case !s3 && f.SourceDir == "" && f.S3Endpoint == "" && f.SourceEndpoint == "":
		return failure.Usagef("give --source-dir, or --source-endpoint", "nothing says where clips come from")
	case f.S3Idle < 0 || f.S3Idle > 0 && f.S3Idle < time.Second:
		return failure.Usagef("give a second or more", "--s3-idle is too short")
	case (f.NatsCert == "") != (f.NatsKey == ""):
		return failure.Usagef("give both", "--nats-cert and --nats-key belong together")
	}
	for _, e := range []struct{ flag, url string }{{"--s3-endpoint", f.S3Endpoint}, {"--source-endpoint", f.SourceEndpoint}} {
		u, err := url.Parse(e.url)
		if e.url != "" && (err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https")) {
			return failure.Usagef("give it as https://HOST[:PORT]", "%s is no address", e.flag)
		}
	}
	return nil
}

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 4096

// secret reads a secret from a file, or else from the environment.
func secret(flag, path, env string) (string, error) {
	if path == "" {
		return os.Getenv(env), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", failure.Usagef("name a readable file", "%s cannot be read: %s", flag, disk.Plain(err))
	}
	if len(b) > maxSecret {
		return "", failure.Usagef("name the right file", "%s is no secret: it is too large", flag)
	}
	return strings.TrimSpace(string(b)), nil
}

// login is an access key with its secret and, where it is a temporary one, its session token.
type login struct{ key, secret, token string }

// loginFiles are where a login comes from; what has no file may come from the environment.
type loginFiles struct{ key, secret, token string }

// login reads what belongs to one store: "s3" or "source".
func (l loginFiles) login(prefix string) (found login, err error) {
	env := "VEIL_" + strings.ToUpper(prefix)
	for _, part := range []struct {
		to         *string
		name, file string
	}{{&found.key, "key", l.key}, {&found.secret, "secret", l.secret}, {&found.token, "token", l.token}} {
		if *part.to, err = secret("--"+prefix+"-"+part.name+"-file", part.file, env+"_"+strings.ToUpper(part.name)); err != nil {
			return login{}, err
		}
	}
	if (found.key == "") != (found.secret == "") {
		return login{}, failure.Usagef(fmt.Sprintf("give both, by --%s-key-file and --%s-secret-file or %s_KEY and %s_SECRET", prefix, prefix, env, env),
			"one half of the %s access key is missing", prefix)
	}
	if found.token != "" && found.key == "" {
		return login{}, failure.Usagef(fmt.Sprintf("give the key that it belongs to, by --%s-key-file and --%s-secret-file", prefix, prefix),
			"there is a %s session token and no access key", prefix)
	}
	return found, nil
}

// Closing ends a service and tells an error of that where there is no other.
func Closing(s *Service, err *error) {
	if e := s.Close(); e != nil && *err == nil {
		*err = e
	}
}
