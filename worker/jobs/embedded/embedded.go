// Package embedded runs a NATS server with JetStream on disk inside this process: for `veil dev`, and for tests that want the
// real thing. It owns the server and its folder's lock; connections that it hands out are the caller's to close first.
package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Options say where the server keeps its files and who may reach it.
type Options struct {
	Dir string // JetStream's folder, made where it is missing
	// Listen opens a TCP port on 127.0.0.1, 0 for any that is free; -1 keeps the server inside this process.
	Listen int
	// Token is what clients must show; empty for none.
	Token string
	// Lazy syncs files every two minutes instead of at every write: for tests, a power cut loses jobs.
	Lazy bool
}

// Server is a running NATS server.
type Server struct {
	s     *server.Server
	token string
}

var errNotReady = errors.New("the server does not get ready")

const readyLimit = 20 * time.Second

// Start starts a server and waits until it takes connections. Close it.
func Start(o Options) (*Server, error) {
	opts := &server.Options{
		ServerName: "veil", JetStream: true, StoreDir: o.Dir, SyncAlways: !o.Lazy, SyncInterval: 2 * time.Minute,
		Host: "127.0.0.1", Port: o.Listen, DontListen: o.Listen < 0, NoSigs: true, NoLog: true,
		Authorization: o.Token, JetStreamMaxMemory: -1, JetStreamMaxStore: -1,
	}
	if o.Listen == 0 {
		opts.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("make NATS server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(readyLimit) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("start NATS server: %w", errNotReady)
	}
	return &Server{s: s, token: o.Token}, nil
}

// Connect opens a connection within this process; it needs no port.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	own := []nats.Option{nats.InProcessServer(s.s)}
	if s.token != "" {
		own = append(own, nats.Token(s.token))
	}
	nc, err := nats.Connect("", append(own, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS server: %w", err)
	}
	return nc, nil
}

// URL is where other processes reach the server; empty where it listens on no port.
func (s *Server) URL() string {
	if s.s.Addr() == nil {
		return ""
	}
	return s.s.ClientURL()
}

// Close stops the server and waits until its files are written.
func (s *Server) Close() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
}
