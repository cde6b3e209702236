package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"veil/worker/jobs"
)

// logged is the log of a worker that took two jobs, and a third one that it did not end.
const logged = `{"time":"2026-03-01T12:00:00Z","level":"INFO","msg":"serving","slots":1}
{"time":"2026-03-01T12:00:01Z","level":"INFO","msg":"claimed","job_id":"a","attempt":1}
{"time":"2026-03-01T12:00:02Z","level":"INFO","msg":"stage","job_id":"a","stage":"fetch"}
{"time":"2026-03-01T12:00:13Z","level":"INFO","msg":"settled","job_id":"a","fate":"answered"}
{"time":"2026-03-01T12:00:13.25Z","level":"INFO","msg":"claimed","job_id":"b","attempt":1}
{"time":"2026-03-01T12:00:24Z","level":"INFO","msg":"settled","job_id":"b","fate":"answered"}
{"time":"2026-03-01T12:00:25Z","level":"INFO","msg":"claimed","job_id":"c","attempt":1}
`

func TestDiary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker.jsonl")
	if err := os.WriteFile(path, []byte(logged), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := readDiary([]*worker{{log: path}, {log: path}})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }
	if d.claims["a"] != 2 || d.claims["c"] != 2 {
		t.Errorf("claims %v", d.claims)
	}
	if n := d.answered(at(0), at(20)); n != 2 {
		t.Errorf("%d answers before 20 s", n)
	}
	if got := d.handovers(at(0), at(14)); !slices.Equal(got, []float64{250, 250}) {
		t.Errorf("handovers %v", got)
	}
	if got := d.handovers(at(0), at(60)); len(got) != 4 {
		t.Errorf("handovers %v", got)
	}
	states := map[string]jobs.State{"b": {ID: "b", Submitted: at(13)}, "a": {ID: "a", Submitted: at(0)}}
	if got := d.waits(states, at(1)); !slices.Equal(got, []float64{250, 250}) {
		t.Errorf("waits %v", got)
	}
	if got := d.perBin(); !slices.Equal(got, []int{0, 2, 2}) {
		t.Errorf("bins %v", got)
	}
	if err := os.WriteFile(path, []byte("panic: broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readDiary([]*worker{{log: path}}); err == nil {
		t.Error("a log that is none was read")
	}
}

func TestPercentiles(t *testing.T) {
	if percentiles(nil) != nil || marks(nil) != [3]float64{} {
		t.Error("nothing has percentiles")
	}
	var values []float64
	for i := range 201 {
		values = append(values, float64(200-i))
	}
	p := percentiles(values)
	if len(p) != 101 || p[0] != 0 || p[50] != 100 || p[100] != 200 || marks(p) != [3]float64{100, 190, 198} {
		t.Errorf("%v", p)
	}
	if one := percentiles([]float64{7}); one[0] != 7 || one[100] != 7 {
		t.Errorf("%v", one)
	}
}
