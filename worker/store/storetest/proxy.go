package storetest

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Fault is what a Proxy does to connections.
type Fault struct {
	Requests bool  // count what the client says, not what the server answers
	After    int64 // bytes of one connection that pass first
	Times    int   // how many connections it happens to
	Stall    bool  // say nothing more; otherwise the connection is cut
}

// Proxy stands between a store and its server, and breaks connections on demand.
type Proxy struct {
	Endpoint string // as the server's, but through the proxy

	server   string
	listener net.Listener
	group    sync.WaitGroup

	mu    sync.Mutex
	fault Fault
	round int // of faults: a connection counts its bytes anew in each
	links map[*link]bool
	hit   int
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	gone           chan struct{}
	once           sync.Once
}

func (l *link) cut() {
	l.once.Do(func() {
		close(l.gone)
		_ = errors.Join(l.client.Close(), l.server.Close())
	})
}

// NewProxy starts a proxy in front of an endpoint. It ends with the test.
func NewProxy(t testing.TB, endpoint string) *Proxy {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Endpoint: u.Scheme + "://" + l.Addr().String(), server: u.Host, listener: l,
		links: map[*link]bool{}}
	p.group.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

// Break sets a fault, and forgets the one before.
func (p *Proxy) Break(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	p.round++
}

// Heal ends faults: what stalls is cut.
func (p *Proxy) Heal() {
	p.Break(Fault{})
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Hits counts the connections that a fault met.
func (p *Proxy) Hits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hit
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.Heal()
	p.group.Wait()
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server, gone: make(chan struct{})}
		p.mu.Lock()
		p.links[l] = true
		p.mu.Unlock()
		p.group.Go(func() { p.pass(l, true) })
		p.group.Go(func() { p.pass(l, false) })
	}
}

// pass copies one direction of a connection until a fault or its end.
func (p *Proxy) pass(l *link, requests bool) {
	defer func() {
		l.cut()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	}()
	from, to := l.server, l.client
	if requests {
		from, to = to, from
	}
	buf := make([]byte, 8<<10)
	var passed int64
	round := 0
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		if round != p.round {
			round, passed = p.round, 0
		}
		f := p.fault
		met := n > 0 && f.Times > 0 && f.Requests == requests && passed+int64(n) > f.After
		if met {
			n = int(max(0, f.After-passed))
			p.fault.Times--
			p.hit++
		}
		p.mu.Unlock()
		if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
			return
		}
		passed += int64(n)
		if met && f.Stall {
			<-l.gone // nothing is taken any more: the other side has to lose patience
		}
		if met {
			return
		}
	}
}
