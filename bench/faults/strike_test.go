//go:build faults

package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"veil/worker/jobs"
	"veil/worker/store"
)

// point is where a worker is when it is killed.
type point string

const (
	fetching     point = "fetch"
	analyzing    point = "analyze"
	rendering    point = "render"
	verifying    point = "verify"
	putting      point = "put"
	beforeCommit point = "before commit"
	beforeAck    point = "between commit and ack"
	anywhere     point = "anywhere"
)

// stages are the points at which an event says that the worker is there.
var stages = []point{fetching, analyzing, rendering, verifying, putting}

const (
	killsAt    = 6                      // at each point
	killsTotal = 50                     // with those anywhere
	fresh      = 250 * time.Millisecond // older news of a stage tell nothing
	breath     = 1500 * time.Millisecond
)

// news is a word from the queue, with the time it came.
type news struct {
	at    time.Time
	event *jobs.Event
	state *jobs.State
}

// striker kills workers where it is told to, and counts.
type striker struct {
	*house
	news  chan news
	need  map[point]int
	done  map[point]int
	stage map[string]jobs.Event // last stage told of each job
	last  time.Time
}

func newStriker(h *house) *striker {
	s := &striker{house: h, news: make(chan news, 4096), need: map[point]int{}, done: map[point]int{}, stage: map[string]jobs.Event{}}
	for _, p := range append(slices.Clone(stages), beforeCommit, beforeAck) {
		s.need[p] = killsAt
	}
	s.need[anywhere] = killsTotal - killsAt*(len(stages)+2)
	hear := func(subject string, read func([]byte) (news, error)) {
		sub, err := h.nc.Subscribe(subject, func(m *nats.Msg) {
			n, err := read(m.Data)
			if err != nil {
				return
			}
			n.at = time.Now()
			select {
			case s.news <- n:
			default: // it would be stale anyway
			}
		})
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { _ = sub.Unsubscribe() })
	}
	hear("event.>", func(b []byte) (n news, err error) { return n, json.Unmarshal(b, &n.event) })
	hear("$KV.STATE.>", func(b []byte) (n news, err error) { return n, json.Unmarshal(b, &n.state) })
	return s
}

func (s *striker) kills() (sum int) {
	for _, n := range s.done {
		sum += n
	}
	return sum
}

// hear acts on one word from the queue.
func (s *striker) hear(n news) {
	stale := time.Since(n.at) > fresh || time.Since(s.last) < breath
	if n.state != nil {
		if !stale && n.state.Phase == jobs.Committing && s.need[beforeAck] > 0 {
			s.strikeBeforeAck(*n.state)
		}
		return
	}
	if n.event == nil || n.event.Event != jobs.EventStage {
		return
	}
	before := s.stage[n.event.ID]
	s.stage[n.event.ID] = *n.event
	begins := before.Stage != n.event.Stage || before.Attempt != n.event.Attempt
	at := point(n.event.Stage)
	switch {
	case stale || !begins || !slices.Contains(stages, at):
	case at == putting && s.need[beforeCommit] >= s.need[putting] && s.need[beforeCommit] > 0:
		s.strikeBeforeCommit(n.event.ID)
	case s.need[at] > 0:
		s.strikeStage(n.event.ID, at)
	}
}

// owner stops the worker that has a job now, and gives it with the record as it is while that worker can not move.
func (s *striker) owner(id string) (*worker, jobs.State, error) {
	st, err := s.queue.State(s.t.Context(), id)
	if err != nil {
		return nil, st, err
	}
	w := s.by(st)
	if w == nil {
		return nil, st, errors.New("nobody has it")
	}
	w.signal(syscall.SIGSTOP)
	again, err := s.queue.State(s.t.Context(), id)
	if err != nil || again.Worker != st.Worker {
		w.signal(syscall.SIGCONT)
		return nil, st, errors.Join(err, errors.New("it moved on"))
	}
	return w, again, nil
}

// count kills a stopped worker and starts it again.
func (s *striker) count(w *worker, at point) {
	w.kill()
	s.need[at]--
	s.done[at]++
	s.last = time.Now()
	s.t.Logf("kill %d: %s, %s", s.kills(), w.name, at)
	s.start(w)
}

// strikeStage kills a worker within a stage.
func (s *striker) strikeStage(id string, at point) {
	if at == analyzing || at == rendering || at == verifying {
		time.Sleep(rand.N(time.Second))
	}
	w, st, err := s.owner(id)
	if err != nil {
		return
	}
	if st.Phase != jobs.Running || s.where(w, st) != at {
		w.signal(syscall.SIGCONT)
		return
	}
	s.count(w, at)
}

// where is the stage of a stopped worker: the last that it began to tell of, unless its log says that this is over.
func (s *striker) where(w *worker, st jobs.State) point {
	time.Sleep(50 * time.Millisecond) // what it sent before it was stopped is on its way
	for len(s.news) > 0 {
		if n := <-s.news; n.event != nil && n.event.Event == jobs.EventStage {
			s.stage[n.event.ID] = *n.event
		}
	}
	e := s.stage[st.ID]
	if e.Attempt != st.Attempts {
		return ""
	}
	if slices.Contains(w.finished(st), e.Stage) && (e.Stage == string(fetching) || e.Stage == string(putting)) {
		return ""
	}
	return point(e.Stage)
}

// finished are the stages that the worker's log tells of as done in an attempt.
func (w *worker) finished(st jobs.State) (done []string) {
	f, err := os.Open(filepath.Join(w.logs, logName(w.runs)))
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line struct {
			Msg     string `json:"msg"`
			Job     string `json:"job_id"`
			Attempt int    `json:"attempt"`
			Stage   string `json:"stage"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "stage" && line.Job == st.ID && line.Attempt == st.Attempts {
			done = append(done, line.Stage)
		}
	}
	return done
}

// strikeBeforeCommit kills a worker that has stored everything, the manifest last, and has not committed it: it still reads
// the manifest back when it is stopped.
func (s *striker) strikeBeforeCommit(id string) {
	st, err := s.queue.State(s.t.Context(), id)
	if err != nil || st.Phase != jobs.Running {
		return
	}
	w := s.by(st)
	if w == nil {
		return
	}
	manifest := filepath.Join(s.gw.Dir, "data", "evidence", store.AttemptPrefix(st.ID, st.Generation, st.Epoch), store.ManifestName)
	stored := waitFor(10*time.Second, func() bool {
		_, err := os.Stat(manifest)
		return err == nil
	})
	w.signal(syscall.SIGSTOP)
	time.Sleep(100 * time.Millisecond) // what it has sent is carried out
	after, err := s.queue.State(s.t.Context(), id)
	switch {
	case err == nil && after.Epoch == st.Epoch && after.Phase == jobs.Running && stored:
		s.count(w, beforeCommit)
	case err == nil && after.Epoch == st.Epoch && after.Phase == jobs.Committing && s.need[beforeAck] > 0:
		s.count(w, beforeAck)
	default:
		w.signal(syscall.SIGCONT)
	}
}

// strikeBeforeAck kills a worker whose result has won and is not yet made visible.
func (s *striker) strikeBeforeAck(st jobs.State) {
	w := s.by(st)
	if w == nil {
		return
	}
	w.signal(syscall.SIGSTOP)
	time.Sleep(20 * time.Millisecond)
	now, err := s.queue.State(s.t.Context(), st.ID)
	if err != nil || now.Phase != jobs.Committing || now.Worker != st.Worker {
		w.signal(syscall.SIGCONT)
		return
	}
	s.count(w, beforeAck)
}

// strikeAnywhere kills some worker, wherever it is.
func (s *striker) strikeAnywhere() {
	w := s.workers[rand.N(len(s.workers))]
	w.signal(syscall.SIGSTOP)
	s.count(w, anywhere)
}

func waitFor(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		if ok() {
			return true
		}
	}
	return false
}

func logName(run int) string {
	n := strconv.Itoa(run)
	return strings.Repeat("0", max(0, 3-len(n))) + n + ".jsonl"
}
