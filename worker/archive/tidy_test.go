package archive

import (
	"strings"
	"testing"

	"veil/worker/connect"
	"veil/worker/jobs"
	"veil/worker/store"
)

// An attempt that put everything and died before its commit keeps only the first pass that a later one took up.
func TestCollectTrimsWhatWasOutlived(t *testing.T) {
	done := jobs.State{Phase: jobs.Released, Generation: 1, Epoch: 3, Plan: &jobs.Stored{Generation: 1, Epoch: 1},
		Result: &jobs.Result{Generation: 1, Epoch: 3}}
	decided := done
	decided.Generation, decided.Result = 2, &jobs.Result{Generation: 2, Epoch: 3}
	running := done
	running.Phase, running.Result = jobs.Running, nil
	for _, c := range []struct {
		name string
		a    attemptFiles
		s    jobs.State
		want bool
	}{
		{"died before its commit", attemptFiles{generation: 1, epoch: 1, manifest: true}, done, true},
		{"died earlier", attemptFiles{generation: 1, epoch: 1}, done, false},
		{"the answer itself", attemptFiles{generation: 1, epoch: 3, manifest: true}, done, false},
		{"a hold that was decided about", attemptFiles{generation: 1, epoch: 1, manifest: true}, decided, false},
		{"not answered yet", attemptFiles{generation: 1, epoch: 1, manifest: true}, running, false},
	} {
		if got := outlived(c.a, c.s); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	dir, err := store.OpenDir(t.TempDir(), store.DirOptions{Encryption: store.Off})
	if err != nil {
		t.Fatal(err)
	}
	s := &connect.Service{Store: dir}
	defer s.Close()
	prefix := store.AttemptPrefix("some", 1, 1)
	for _, name := range []string{store.JobName, DraftName, store.PlanName, store.ReportName, store.ManifestName, "1.mp4"} {
		if _, err := PutBytes(t.Context(), s.Store, prefix+name, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := trim(t.Context(), s, prefix); err != nil {
		t.Fatal(err)
	}
	left := []string{}
	for o, err := range s.Store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, strings.TrimPrefix(o.Key, prefix))
	}
	if len(left) != 2 || left[0] != DraftName || left[1] != store.JobName {
		t.Errorf("left: %v", left)
	}
}
