package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"veil/worker/archive"
	"veil/worker/connect"
	"veil/worker/disk"
	"veil/worker/failure"
	"veil/worker/jobs"
	"veil/worker/jobs/embedded"
	"veil/worker/store"
	"veil/worker/text"
)

// devCmd is `veil dev`: queue, store and one worker in one process, with everything in one folder.
type devCmd struct {
	Dir string `default:"veil-data" placeholder:"FOLDER" help:"Where everything lies; made where it is missing."`
	workerFlags
}

// Folders below veil dev's own.
const (
	devNats    = "nats"
	devStore   = "store"
	devSources = "sources"
	devScratch = "scratch"
	devAccess  = "access"
)

// Run works until a signal. What a killed one has left is taken up by the next.
func (c *devCmd) Run(ctx context.Context, a *app) (err error) {
	soft, hard, release := stops(ctx)
	defer release()
	h, err := openDevHouse(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if a.Scratch == "" {
		a.Scratch = filepath.Join(h.dir, devScratch)
	}
	c.Sources = append(c.Sources, h.buckets()...)
	w, options, err := c.prepare(soft, a)
	if err != nil {
		return err
	}
	w.log = newLog(a)
	options.Log = w.log
	if w.service, err = h.connect(soft, options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.service.Close()) }()
	if w.trust, err = w.service.CheckStore(soft); err != nil {
		return err
	}
	if err := w.checkLock(); err != nil {
		return err
	}
	if err := h.announce(); err != nil {
		return err
	}
	c.greet(a)
	return c.daemon(w, a).run(soft, hard)
}

// greet says what to type next.
func (c *devCmd) greet(a *app) {
	flag := ""
	if c.Dir != connect.DevDir {
		flag = " --dir " + text.Printable(c.Dir)
	}
	if a.JSON {
		return
	}
	a.printf("veil dev works in %s. In another terminal:\n", text.Printable(c.Dir))
	a.printf("  veil submit CLIP --wait%s\n  veil jobs --watch%s\n  veil get ID -o FOLDER%s\n", flag, flag, flag)
	a.printf("Ctrl-C stops it; what waits then goes on at the next start.\n")
}

// devHouse is the folder of a veil dev and the server that runs in it.
type devHouse struct {
	dir    string
	lock   *os.File
	server *embedded.Server
	token  string
}

// openDevHouse takes the folder and starts the server. The port of the last time is taken again if it is free, so that those
// who watch find it.
func openDevHouse(dir string) (*devHouse, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find folder: %w", err)
	}
	for _, d := range []string{"", devNats, devStore, devSources, devScratch, devAccess} {
		if err := os.MkdirAll(filepath.Join(abs, d), 0o700); err != nil {
			return nil, failure.Usagef("name another with --dir", "the folder cannot be made: %s", disk.Plain(err))
		}
	}
	lock, err := disk.Lock(filepath.Join(abs, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, failure.Newf(failure.Busy, "use that one, stop it, or name another folder with --dir", "another veil dev works in %s", dir)
	}
	if err != nil {
		return nil, failure.Usagef("name another with --dir", "the folder cannot be used: %s", disk.Plain(err))
	}
	h := &devHouse{dir: abs, lock: lock, token: rand.Text()}
	o := embedded.Options{Dir: filepath.Join(abs, devNats), Listen: h.lastPort(), Token: h.token}
	if h.server, err = embedded.Start(o); err != nil && o.Listen != 0 {
		o.Listen = 0
		h.server, err = embedded.Start(o)
	}
	if err != nil {
		return nil, errors.Join(failure.Newf(failure.Queue, "check the folder's disk, or name another folder with --dir", "the queue cannot be started: %s", err), lock.Close())
	}
	return h, nil
}

// lastPort is the port of the veil dev that worked here before; 0 where there was none.
func (h *devHouse) lastPort() int {
	var d connect.DevAddress
	b, err := os.ReadFile(filepath.Join(h.dir, connect.DevFile))
	if err != nil || json.Unmarshal(b, &d) != nil {
		return 0
	}
	u, err := url.Parse(d.Nats)
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0
	}
	return port
}

// buckets lists what lies in the folder of sources: all of it may be redacted.
func (h *devHouse) buckets() (names []string) {
	entries, err := os.ReadDir(filepath.Join(h.dir, devSources))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// connect sets the queue up and opens everything, within this process.
func (h *devHouse) connect(ctx context.Context, o jobs.Options) (*connect.Service, error) {
	nc, err := h.server.Connect()
	if err != nil {
		return nil, failure.OfQueue(err)
	}
	s := &connect.Service{NC: nc}
	made, err := jobs.Setup(ctx, nc, jobs.SetupOptions{})
	if err != nil {
		return nil, errors.Join(failure.OfQueue(err), s.Close())
	}
	if s.Queue, err = jobs.Open(ctx, nc, o); err != nil {
		return nil, errors.Join(failure.OfQueue(err), s.Close())
	}
	f := connect.Flags{Store: filepath.Join(h.dir, devStore), SourceDir: filepath.Join(h.dir, devSources), Encryption: string(store.Off)}
	f.AccessLog, f.Person = filepath.Join(h.dir, devAccess), workerPerson()
	if err := f.OpenStores(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if len(made.Created) > 0 { // a new folder, or the queue's files were lost
		if _, err := archive.Rebuild(ctx, s); err != nil {
			return nil, errors.Join(failure.OfJob("of the store", err), s.Close())
		}
	}
	return s, nil
}

// announce writes down how to reach this veil dev, for this user's eyes only.
func (h *devHouse) announce() error {
	return disk.WriteJSON(filepath.Join(h.dir, connect.DevFile), connect.DevAddress{Nats: h.server.URL(), Token: h.token, Store: devStore, Sources: devSources,
		Access: devAccess})
}

// close stops the server and gives the folder back. The address stays, so that the next one takes the same port.
func (h *devHouse) close() error {
	h.server.Close()
	return h.lock.Close()
}
