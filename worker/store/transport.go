package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	defaultIdle = 60 * time.Second
	dialTimeout = 10 * time.Second
	// slowAnswers is how many times longer than Idle a store may say nothing while it puts parts together or copies.
	slowAnswers = 5
)

// errIdle is the cause of a request that nobody answered any more.
var errIdle = errors.New("nothing was heard for too long")

// netError is a fault below HTTP: of the network, the name service, TLS, or silence. Its text holds no URL.
type netError struct{ err error }

func (e *netError) Error() string {
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.Is(e.err, errIdle):
		return errIdle.Error()
	case errors.Is(e.err, io.EOF), errors.Is(e.err, io.ErrUnexpectedEOF):
		return "the connection was closed" // and no "EOF": the SDK rewrites such errors, with the URL in it
	case errors.As(e.err, &cert):
		return "its certificate is not trusted: " + cert.Err.Error()
	case errors.As(e.err, &op):
		return op.Op + ": " + op.Err.Error()
	}
	return e.err.Error()
}

func (e *netError) Unwrap() error { return e.err }

// patience is an http.RoundTripper that gives up on a store that says nothing and takes nothing for too long, however long
// a transfer as a whole may last.
type patience struct {
	next http.RoundTripper
	idle time.Duration
}

type slowKey struct{}

// slowly marks requests whose answer may take longer.
func slowly(ctx context.Context) context.Context { return context.WithValue(ctx, slowKey{}, true) }

// RoundTrip sends one request. The timer runs until the answer's head is there, is set back by every piece of the request's
// body that the connection takes, and runs again during every read of the answer's body.
func (p *patience) RoundTrip(req *http.Request) (*http.Response, error) {
	limit := p.idle
	if req.Context().Value(slowKey{}) != nil {
		limit *= slowAnswers
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{limit: limit, cancel: cancel}
	w.timer = time.AfterFunc(limit, func() { cancel(errIdle) })
	out := req.WithContext(ctx) // shallow: the SDK fills trailers while the body is read
	if req.Body != nil {
		out.Body = &watchedRequest{ReadCloser: req.Body, watch: w}
	}
	resp, err := p.next.RoundTrip(out)
	w.rest()
	if err != nil {
		cancel(err)
		return nil, w.fault(req.Context(), ctx, err)
	}
	resp.Body = &watchedAnswer{ReadCloser: resp.Body, watch: w, outer: req.Context(), inner: ctx}
	return resp, nil
}

// watch is the timer of one request.
type watch struct {
	mu     sync.Mutex
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
	rested bool
}

// heard sets the timer back, unless the answer came already.
func (w *watch) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.rested {
		w.timer.Reset(w.limit)
	}
}

// wake starts the timer, rest stops it.
func (w *watch) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rested = false
	w.timer.Reset(w.limit)
}

func (w *watch) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rested = true
	w.timer.Stop()
}

// fault tells whose fault an error is: of the caller who cancelled, or of the store.
func (w *watch) fault(outer, inner context.Context, err error) error {
	if outer.Err() != nil {
		return ended(outer)
	}
	if errors.Is(context.Cause(inner), errIdle) {
		return &netError{errIdle}
	}
	return &netError{err}
}

type watchedRequest struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedRequest) Read(p []byte) (int, error) {
	b.watch.heard()
	return b.ReadCloser.Read(p)
}

type watchedAnswer struct {
	io.ReadCloser
	watch        *watch
	outer, inner context.Context // of the request: a body is read after it, and has no parameter for them
}

func (b *watchedAnswer) Read(p []byte) (int, error) {
	b.watch.wake()
	n, err := b.ReadCloser.Read(p)
	b.watch.rest()
	if err != nil && err != io.EOF {
		err = b.watch.fault(b.outer, b.inner, err)
	}
	return n, err
}

func (b *watchedAnswer) Close() error {
	b.watch.rest()
	b.watch.cancel(io.ErrClosedPipe)
	return b.ReadCloser.Close()
}

// newTransport speaks to the store and nobody else: proxies of the environment are not asked. caFile replaces the machine's
// authorities; it is read anew for each connection, so that a renewed authority counts without a restart.
func newTransport(caFile string) (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       30 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // objects are bytes, also those that claim to be compressed
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
	}
	if caFile == "" {
		return t, nil
	}
	if _, err := authorities(caFile); err != nil {
		return nil, err
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		pool, err := authorities(caFile)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}}
		return d.DialContext(ctx, network, addr)
	}
	return t, nil
}

// authorities reads certificates in PEM form.
func authorities(caFile string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the store's certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the store's certificates: %s holds none in PEM form", caFile)
	}
	return pool, nil
}
