package jobs

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// watchers counts who watches the state bucket: each watch is a consumer of its stream.
func watchers(t *testing.T, q *Queue) int {
	t.Helper()
	info, err := q.state.Info(t.Context())
	must(t, err)
	return info.State.Consumers
}

// keepers runs the reconciler of each queue until its stop is called.
func keepers(t *testing.T, interval time.Duration, queues ...*Queue) (stops []func()) {
	t.Helper()
	for _, q := range queues {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { q.Reconcile(ctx, interval) })
		stop := sync.OnceFunc(func() { cancel(); wg.Wait() })
		t.Cleanup(stop)
		stops = append(stops, stop)
	}
	return stops
}

// TestOneKeeps holds that of many workers one watches the records, that another one takes over when it ends, and that a job
// without a message is found then.
func TestOneKeeps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var queues []*Queue
	for range 8 {
		queues = append(queues, h.queue())
	}
	const interval = 100 * time.Millisecond
	stops := keepers(t, interval, queues...)
	looker := h.queue()
	one := func() bool { return watchers(t, looker) == 1 }
	eventually(t, "one worker watches", one)
	time.Sleep(5 * interval)
	if n := watchers(t, looker); n != 1 {
		t.Fatalf("%d workers watch", n)
	}
	for _, stop := range stops[:7] {
		stop()
	}
	if _, err := looker.accept(t.Context(), job("one")); err != nil {
		t.Fatal(err)
	}
	a := next(t, looker)
	a.Begin(t.Context())
	commit(t, a, Released)
	settle(t, a, nil, FateAnswered)
	eventually(t, "one worker watches", one)
}

// TestTwoKeepersBecomeOne lets two hear of each other that both became keepers.
func TestTwoKeepersBecomeOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	low, high := hearing(t, h), hearing(t, h)
	if high.name < low.name {
		low, high = high, low
	}
	low.announce()
	if err := high.answer(word(t, high)); err != errOtherKeeper {
		t.Errorf("the one with the higher name stays: %v", err)
	}
	high.announce()
	for _, want := range []string{low.name, high.name} { // the first is its own word
		m := word(t, low)
		if err := low.answer(m); string(m.Data) != want || err != nil {
			t.Errorf("the one with the lower name: %s, %v", m.Data, err)
		}
	}
	for _, want := range []string{high.name, low.name} { // its own word, and the answer to it
		if m := word(t, high); string(m.Data) != want {
			t.Errorf("heard %s, want %s", m.Data, want)
		}
	}
}

// hearing is a worker's part whose subscription the server has.
func hearing(t *testing.T, h *house) *keeping {
	t.Helper()
	k, err := newKeeping(h.connect(), time.Minute)
	must(t, err)
	t.Cleanup(k.close)
	must(t, k.nc.Flush())
	return k
}

// word is the next that a worker hears.
func word(t *testing.T, k *keeping) *nats.Msg {
	t.Helper()
	select {
	case m := <-k.words:
		return m
	case <-time.After(patience):
		t.Fatal("nothing was heard")
		return nil
	}
}

// TestBurstWakesMany hands in several jobs at once where as many workers wait and hardly look by themselves.
func TestBurstWakesMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const n = 6
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got := make(chan *Attempt, n)
	for range n {
		q := h.queue(func(o *Options) { o.PollEvery = 2 * time.Second })
		go func() {
			a, _ := q.Next(ctx)
			got <- a
		}()
	}
	time.Sleep(800 * time.Millisecond) // they have ceased to look
	submit(t, h.queue(), "a", "b", "c", "d", "e", "f")
	for range n {
		a := <-got
		if a == nil {
			t.Fatal("a job was not taken")
		}
		a.Begin(t.Context())
		commit(t, a, Released)
		settle(t, a, nil, FateAnswered)
	}
}
