//go:build faults

package faults

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"veil/worker/jobs"
	"veil/worker/store"
)

const (
	clipCount    = 60
	workerCount  = 3
	natsRestarts = 5
	storeStops   = 5
	testLimit    = 55 * time.Minute
)

// TestNothingIsLostOrDoubled is the fault test of the whole.
func TestNothingIsLostOrDoubled(t *testing.T) {
	h := newHouse(t)
	ids := h.submitAll(makeClips(t, filepath.Join(h.dir, "clips")))
	for i := range workerCount {
		h.hire(fmt.Sprintf("w%d", i+1))
	}
	s := newStriker(h)
	start := time.Now()
	restarts, stops := s.storm(ids)
	for _, w := range h.workers {
		if err := w.retire(time.Minute); err != nil {
			t.Errorf("%s %v", w.name, err)
		}
	}
	for p, n := range s.need {
		if n > 0 {
			t.Errorf("%d more kills were wanted at: %s", n, p)
		}
	}
	h.checkAnswers(ids)
	h.checkStore(ids)
	h.checkLeftovers(ids)
	t.Logf("%d jobs, %d workers, %s: %d kills %v, NATS killed %d times, store stopped %d times", len(ids), workerCount,
		time.Since(start).Round(time.Second), s.kills(), s.done, restarts, stops)
}

// makeClips cuts clips of 5 to 60 seconds out of a real one, no two alike.
func makeClips(t *testing.T, dir string) []string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var clips []string
	for i := range clipCount {
		seconds := 5 + i%6
		switch {
		case i%20 == 7:
			seconds = 20
		case i == 30:
			seconds = 40
		case i == 15:
			seconds = 60
		}
		path := filepath.Join(dir, fmt.Sprintf("clip-%02d.mp4", i))
		cutClip(t, path, seconds, 0.05*float64(i))
		clips = append(clips, path)
	}
	return clips
}

// cutClip makes a clip of so many seconds out of a real one, from a moment of it on.
func cutClip(t testing.TB, path string, seconds int, from float64) {
	t.Helper()
	const source = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"
	if _, err := os.Stat(source); err != nil {
		t.Fatal("the sample clip is missing: run `docker/install.sh demo`")
	}
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "-1", "-ss", fmt.Sprintf("%.2f", from), "-i", source,
		"-t", fmt.Sprint(seconds), "-vf", "fps=12,scale=480:-2", "-an", "-c:v", "libx264", "-preset", "ultrafast", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make clip: %v\n%s", err, out)
	}
}

// submitAll hands half of the clips in as files and names the others where they lie in the bucket of clips.
func (h *house) submitAll(clips []string) map[string]string {
	h.t.Helper()
	ids := map[string]string{} // to clip
	core := h.gw.Client()
	for i, path := range clips {
		id := fmt.Sprintf("job-%02d", i)
		priority := string(jobs.Priorities()[i%3])
		from := path
		if i%2 == 1 {
			f, err := os.Open(path)
			if err != nil {
				h.t.Fatal(err)
			}
			info, err := f.Stat()
			if err != nil {
				h.t.Fatal(err)
			}
			key := "cam/" + filepath.Base(path)
			if _, err := core.Client.PutObject(h.t.Context(), "footage", key, f, info.Size(), minio.PutObjectOptions{}); err != nil {
				h.t.Fatal(err)
			}
			f.Close()
			from = "s3://footage/" + key
		}
		h.run("submit", from, "--id", id, "--policy", "press", "--priority", priority)
		ids[id] = path
	}
	return ids
}

// storm lets the faults happen until every job has its answer.
func (s *striker) storm(ids map[string]string) (restarts, stops int) {
	s.t.Helper()
	end := time.After(testLimit)
	look := time.NewTicker(2 * time.Second)
	defer look.Stop()
	outage := time.NewTimer(30 * time.Second)
	defer outage.Stop()
	for {
		select {
		case n := <-s.news:
			s.hear(n)
		case <-outage.C:
			if restarts < natsRestarts && restarts <= stops {
				s.restartNATS()
				restarts++
			} else if stops < storeStops {
				s.stopStore()
				stops++
			}
			outage.Reset(10*time.Second + rand.N(20*time.Second))
		case <-look.C:
			if s.need[anywhere] > 0 && time.Since(s.last) > 3*time.Second && rand.N(4) == 0 {
				s.strikeAnywhere()
			}
			if left := s.unanswered(ids); left == 0 {
				return restarts, stops
			}
		case <-end:
			s.t.Errorf("%d jobs have no answer after %s", s.unanswered(ids), testLimit)
			return restarts, stops
		}
	}
}

// restartNATS kills the queue's server and starts it again.
func (s *striker) restartNATS() {
	s.stopNATS(syscall.SIGKILL)
	time.Sleep(rand.N(4 * time.Second))
	s.startNATS()
	s.t.Log("NATS restarted")
}

// stopStore kills the store and starts it again.
func (s *striker) stopStore() {
	s.gw.Kill()
	time.Sleep(time.Second + rand.N(6*time.Second))
	s.gw.Start()
	s.t.Log("store restarted")
}

func (s *striker) unanswered(ids map[string]string) int {
	left := len(ids)
	err := s.queue.States(s.t.Context(), func(st jobs.State) bool {
		if _, ours := ids[st.ID]; ours && st.Phase.Final() {
			left--
		}
		return true
	})
	if err != nil {
		return len(ids)
	}
	return left
}

// checkAnswers wants every job released: the clips are easy.
func (h *house) checkAnswers(ids map[string]string) {
	h.t.Helper()
	for id := range ids {
		st, err := h.queue.State(h.t.Context(), id)
		if err != nil || st.Phase != jobs.Released {
			h.t.Errorf("%s is %s (%s: %s), %v", id, st.Phase, st.Code, st.Detail, err)
		}
	}
}

// checkStore lists all of the store: one manifest and one derivative for each job, each as the manifest says, and each
// derivative passes the check against its original and its plan.
func (h *house) checkStore(ids map[string]string) {
	h.t.Helper()
	manifests, derivatives := map[string]int{}, map[string]int{}
	for _, key := range h.list("evidence", store.Release) {
		id := strings.Split(key, "/")[1]
		switch {
		case strings.HasSuffix(key, "/"+store.ManifestName):
			manifests[id]++
		case strings.HasSuffix(key, ".mp4"):
			derivatives[id]++
		}
	}
	for id := range ids {
		if manifests[id] != 1 || derivatives[id] != 1 {
			h.t.Errorf("%s has %d manifests and %d derivatives", id, manifests[id], derivatives[id])
		}
	}
	if len(manifests) != len(ids) || len(derivatives) != len(ids) {
		h.t.Errorf("%d manifests and %d derivatives for %d jobs", len(manifests), len(derivatives), len(ids))
	}
	for id, clip := range ids {
		h.checkDerivative(id, clip)
	}
}

func (h *house) checkDerivative(id, clip string) {
	h.t.Helper()
	st, err := h.queue.State(h.t.Context(), id)
	if err != nil || st.Result == nil {
		h.t.Errorf("%s has no result: %v", id, err)
		return
	}
	j, err := st.Decoded()
	if err != nil {
		h.t.Errorf("%s: %v", id, err)
		return
	}
	dir := filepath.Join(h.dir, "check", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	name := store.DerivativeName(j.DerivativeName())
	out, plan := filepath.Join(dir, "out.mp4"), filepath.Join(dir, "plan.json")
	sum := h.download(store.ReleasePrefix(id, st.Generation)+name, out)
	h.download(store.AttemptPrefix(id, st.Result.Generation, st.Result.Epoch)+store.PlanName, plan)
	if sum == "" || sum != st.Result.Digests["derivative"] {
		h.t.Errorf("%s: the derivative's digest is %s, the record says %s", id, sum, st.Result.Digests["derivative"])
	}
	cmd := exec.Command(h.veil, "verify", out, "--original", clip, "--plan", plan)
	cmd.Env = h.env("commands")
	if said, err := cmd.CombinedOutput(); err != nil {
		h.t.Errorf("%s: veil verify: %v\n%s", id, err, said)
	}
}

// download gives the SHA-256 of an object of the evidence bucket, and keeps it in a file.
func (h *house) download(key, to string) string {
	h.t.Helper()
	o, err := h.gw.Client().Client.GetObject(h.t.Context(), "evidence", key, minio.GetObjectOptions{})
	if err != nil {
		h.t.Errorf("get %s: %v", key, err)
		return ""
	}
	defer o.Close()
	f, err := os.Create(to)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), o); err != nil {
		h.t.Errorf("get %s: %v", key, err)
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (h *house) list(bucket, prefix string) (keys []string) {
	h.t.Helper()
	for o := range h.gw.Client().Client.ListObjects(h.t.Context(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			h.t.Fatal(o.Err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// checkLeftovers wants no scratch file, no open upload, no process, and, once the workers have collected, nothing of the
// attempts that died.
func (h *house) checkLeftovers(ids map[string]string) {
	h.t.Helper()
	h.collect()
	for _, w := range h.workers {
		_ = filepath.WalkDir(w.scratch, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(d.Name(), "lock") {
				h.t.Errorf("scratch is left: %s", path)
			}
			return nil
		})
	}
	for _, bucket := range []string{"evidence", "footage"} {
		for u := range h.gw.Client().Client.ListIncompleteUploads(h.t.Context(), bucket, "", true) {
			h.t.Errorf("an upload is open: %s %v", u.Key, u.Err)
		}
	}
	named := h.named(ids)
	manifests := map[string]int{}
	for _, key := range h.list("evidence", store.Restricted) {
		parts := strings.Split(key, "/")
		if len(parts) != 5 {
			continue // what is kept for the job as a whole
		}
		if prefix := strings.Join(parts[:4], "/") + "/"; !named[prefix] {
			h.t.Errorf("no record names %s", key)
		}
		if parts[4] == store.ManifestName {
			manifests[parts[1]]++
		}
	}
	for id := range ids {
		if manifests[id] != 1 {
			h.t.Errorf("%s has %d manifests among the restricted ones", id, manifests[id])
		}
	}
	if left := h.processes(); len(left) > 0 {
		h.t.Errorf("processes are left: %v", left)
	}
}

// named are the prefixes of attempts that a record needs: the result's, and that of the plan it was made from.
func (h *house) named(ids map[string]string) map[string]bool {
	named := map[string]bool{}
	for id := range ids {
		st, err := h.queue.State(h.t.Context(), id)
		if err != nil {
			h.t.Errorf("%s: %v", id, err)
			continue
		}
		if r := st.Result; r != nil {
			named[store.AttemptPrefix(id, r.Generation, r.Epoch)] = true
		}
		if p := st.Plan; p != nil {
			named[store.AttemptPrefix(id, p.Generation, p.Epoch)] = true
		}
	}
	return named
}

// collect makes everything in the store look old and lets a worker collect once.
func (h *house) collect() {
	h.t.Helper()
	old := time.Now().Add(-48 * time.Hour)
	data := filepath.Join(h.gw.Dir, "data", "evidence")
	_ = filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_ = os.Chtimes(path, old, old)
		}
		return nil
	})
	w := h.hire("collector", "--collect", "3s", "--collect-age", "1h")
	time.Sleep(20 * time.Second)
	if err := w.retire(time.Minute); err != nil {
		h.t.Errorf("%s %v", w.name, err)
	}
}

// processes are those that work in the house, without the servers of the test itself.
func (h *house) processes() (left []string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		h.t.Fatal(err)
	}
	ours := []int{os.Getpid(), h.nats.Process.Pid}
	for _, e := range entries {
		if slices.ContainsFunc(ours, func(pid int) bool { return e.Name() == fmt.Sprint(pid) }) {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		text := strings.ReplaceAll(string(line), "\x00", " ")
		if err == nil && strings.Contains(text, h.dir) && !strings.Contains(text, "versitygw") {
			left = append(left, text)
		}
	}
	return left
}
