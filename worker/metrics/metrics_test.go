package metrics

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"veil/worker/jobs"
)

// TestMetricsPage: docs/worker.md lists every metric.
func TestMetricsPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "worker.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := New()
	m.Stage("fetch", time.Second)
	m.Video(1, time.Second)
	m.Settled(jobs.State{}, jobs.FateDead, nil)
	m.depth.WithLabelValues("normal").Set(0)
	m.expiry.WithLabelValues("nats-ca").Set(0)
	m.Worker("abc", 1, 1)
	m.keyUntil(func() (time.Time, bool) { return time.Now(), true })
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) < 21 {
		t.Fatalf("only %d metrics", len(families))
	}
	for _, f := range families {
		if !bytes.Contains(page, []byte("`"+f.GetName()+"`")) {
			t.Errorf("docs/worker.md does not tell %s", f.GetName())
		}
	}
}
