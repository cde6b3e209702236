package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// shelf stands for the release prefix of a store: the first put of a job's manifest stays.
type shelf struct {
	mu   sync.Mutex
	puts map[string]string
	t    *testing.T
}

func (s *shelf) put(id, envelope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.puts[id]; ok && have != envelope {
		s.t.Errorf("two results were published for %s", id)
	}
	s.puts[id] = envelope
}

// worker is one that can be killed: without its connection it changes and says nothing more.
type worker struct {
	q    *Queue
	kill func()
	over chan struct{}
}

func (h *house) worker(s *shelf) *worker {
	q := h.queue(func(o *Options) { o.FinalLimit = 200 * time.Millisecond; o.MaxDeaths = 1000 })
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{q: q, over: make(chan struct{})}
	w.kill = func() {
		q.nc.Close()
		cancel()
	}
	go func() {
		defer close(w.over)
		q.Serve(ctx, ctx, ServeOptions{Slots: 2, ReconcileEvery: 300 * time.Millisecond}, s.process)
	}()
	return w
}

// process is a clip's work in small: some jobs fail for good, each attempt makes its own result.
func (s *shelf) process(ctx context.Context, a *Attempt) error {
	pause := func() error { return wait(ctx, rand.N(80*time.Millisecond)) }
	if a.Result() == nil {
		a.Progress("analyze", 50)
		if err := pause(); err != nil {
			return err
		}
		if a.Job().Case == "poison" {
			return Permanent(errClip)
		}
		if err := a.SavePlan(ctx, digest); err != nil {
			return err
		}
		if err := pause(); err != nil {
			return err
		}
		sum := sha256.Sum256(fmt.Append(nil, a.Job().ID, a.State().Epoch))
		if err := a.Commit(ctx, Result{Outcome: Released, Envelope: hex.EncodeToString(sum[:])}); err != nil {
			return err
		}
	}
	if err := pause(); err != nil {
		return err
	}
	s.put(a.Job().ID, a.Result().Envelope)
	return pause()
}

// TestStorm runs 200 jobs over four workers that are killed at random and replaced, while others cancel: each job gets
// exactly one answer, and each released one exactly one result.
func TestStorm(t *testing.T) {
	t.Parallel()
	const jobs, workers, kills = 200, 4, 40
	h := newHouse(t)
	q := h.queue()
	keepHistory(t, q)
	s := &shelf{puts: map[string]string{}, t: t}
	var crew, dead []*worker
	for range workers {
		crew = append(crew, h.worker(s))
	}
	t.Cleanup(func() {
		for _, w := range append(crew, dead...) {
			w.kill()
			<-w.over
		}
	})
	stormSubmit(t, q, jobs)
	for range kills {
		time.Sleep(rand.N(80 * time.Millisecond))
		i := rand.IntN(workers)
		crew[i].kill()
		dead = append(dead, crew[i])
		crew[i] = h.worker(s)
	}
	final := map[Phase]int{}
	eventually(t, "all jobs have their answer", func() bool {
		clear(final)
		n := 0
		err := q.States(t.Context(), func(s State) bool {
			if s.Phase.Final() {
				final[s.Phase]++
				n++
			}
			return true
		})
		return err == nil && n == jobs
	})
	eventually(t, "no message is left", func() bool { return messages(t, q) == 0 })
	t.Logf("answers: %v", final)
	if final[Released] != len(s.puts) {
		t.Errorf("%d jobs are released, %d results published", final[Released], len(s.puts))
	}
	checkHistory(t, q, jobs)
}

func stormSubmit(t *testing.T, q *Queue, n int) {
	t.Helper()
	for i := range n {
		j := job(fmt.Sprintf("job-%d", i))
		if i%20 == 0 {
			j.Case = "poison"
		}
		if _, err := q.Submit(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if i%10 == 5 {
			_, _ = q.Cancel(t.Context(), j.ID) // may come too late
		}
	}
}

// keepHistory makes the server keep every write of every record, which it otherwise does not.
func keepHistory(t *testing.T, q *Queue) {
	t.Helper()
	s, err := q.js.Stream(t.Context(), "KV_"+BucketState)
	must(t, err)
	c := s.CachedInfo().Config
	c.MaxMsgsPerSubject = 1000
	_, err = q.js.UpdateStream(t.Context(), c)
	must(t, err)
}

// history reads all writes of all records in order.
func history(t *testing.T, q *Queue) map[string][]State {
	t.Helper()
	s, err := q.js.Stream(t.Context(), "KV_"+BucketState)
	must(t, err)
	c, err := s.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	must(t, err)
	all := map[string][]State{}
	for n := s.CachedInfo().State.Msgs; n > 0; {
		batch, err := c.Fetch(int(min(n, 500)), jetstream.FetchMaxWait(5*time.Second))
		must(t, err)
		for m := range batch.Messages() {
			r, err := parseState(m.Data())
			must(t, err)
			all[r.ID] = append(all[r.ID], r)
			n--
		}
		must(t, batch.Error())
	}
	return all
}

// checkHistory reads every write of every record: epochs never fall, there is one answer, and nothing follows it.
func checkHistory(t *testing.T, q *Queue, jobs int) {
	t.Helper()
	all := history(t, q)
	if len(all) != jobs {
		t.Errorf("there are records of %d jobs, want %d", len(all), jobs)
	}
	told := answersTold(t, q)
	deaths, takeovers := 0, 0
	for id, writes := range all {
		epoch := 0
		for i, s := range writes {
			if s.Phase.Final() != (i == len(writes)-1) || s.Epoch < epoch || s.Epoch > epoch+1 {
				t.Errorf("job %s: write %d of %d is %s at epoch %d after %d", id, i, len(writes), s.Phase, s.Epoch, epoch)
			}
			epoch = s.Epoch
			if s.Phase == Committing && i > 0 && writes[i-1].Phase == Committing {
				takeovers++
			}
		}
		deaths += writes[len(writes)-1].Deaths
		if told[id] != 1 {
			t.Errorf("the answer of job %s was told %d times", id, told[id])
		}
	}
	t.Logf("%d deaths were noticed, %d commits taken over", deaths, takeovers)
	if deaths == 0 {
		t.Error("no worker died in its work: the storm was none")
	}
}

// answersTold counts the final events of each job.
func answersTold(t *testing.T, q *Queue) map[string]int {
	t.Helper()
	told := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_ = q.Follow(ctx, "", time.Unix(0, 1), func(e Event) bool {
		if Phase(e.Event).Final() && slices.Contains(phaseNames(), string(e.Event)) {
			told[e.ID]++
		}
		return true
	})
	return told
}
