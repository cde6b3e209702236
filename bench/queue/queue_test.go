package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"veil/worker/capacity"
	"veil/worker/jobs"
)

func TestOvertaken(t *testing.T) {
	of := map[string]jobs.Priority{"u": jobs.Urgent, "n": jobs.Normal, "b": jobs.Bulk}
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// An event is "ID KIND SECONDS".
	events := func(list ...string) (all []seen) {
		for _, text := range list {
			f := strings.Fields(text)
			after, err := time.ParseDuration(f[2])
			if err != nil {
				t.Fatal(err)
			}
			kind := map[string]jobs.Kind{"a": jobs.EventAccepted, "s": jobs.EventStarted, "r": jobs.EventReleased}[f[1]]
			all = append(all, seen{Event: jobs.Event{ID: f[0], Event: kind, Time: begun.Add(after)}})
		}
		return all
	}
	for name, c := range map[string]struct {
		events []seen
		want   int
	}{
		"in order":                     {events("b a 0s", "n a 0s", "u a 0s", "u s 2s", "n s 3s", "b s 4s"), 0},
		"bulk before urgent":           {events("b a 0s", "u a 0s", "b s 2s", "u s 3s"), 1},
		"bulk before both":             {events("b a 0s", "n a 0s", "u a 0s", "b s 2s", "u s 3s", "n s 4s"), 1},
		"both before urgent":           {events("b a 0s", "n a 0s", "u a 0s", "n s 2s", "b s 3s", "u s 4s"), 2},
		"urgent came too late":         {events("b a 0s", "b s 5s", "u a 6s", "u s 7s"), 0},
		"urgent came a moment before":  {events("b a 0s", "u a 4500ms", "b s 5s", "u s 6s"), 0},
		"urgent never started":         {events("b a 0s", "u a 0s", "b s 5s"), 1},
		"only the first start counts":  {events("u a 0s", "u s 2s", "b a 0s", "b s 3s", "u s 9s"), 0},
		"a job of somebody else's":     {events("x a 0s", "b a 0s", "b s 5s"), 0},
		"nobody started, nothing lost": {events("b a 0s", "u a 0s"), 0},
	} {
		if got := overtaken(c.events, of); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	for stat, want := range map[string]float64{
		"7 (a) b) S 1 7 7 0 -1 4194560 900 0 0 0 110 22 3 15 20 0 9 0 8": 1.5,
		"7 (veil) S 1 7": -1,
		"7 (veil) S 1 7 7 0 -1 4194560 900 0 0 0 x 22 3 15 20 0 9 0 8": -1,
	} {
		got, err := ticks([]byte(stat))
		if (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", stat, got, err)
		}
	}
	if own, err := processor(os.Getpid()); err != nil || own < 0 {
		t.Errorf("own time: %v, %v", own, err)
	}
}

// TestMeasure holds what a command took against what it does.
func TestMeasure(t *testing.T) {
	c, err := measure(exec.Command("bash", "-c", `x=$(head -c 60000000 /dev/zero | tr '\0' x); sleep 0.3; : ${#x}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Seconds < 0.3 || c.CPU <= 0 || c.PeakMB < 55 || c.PeakMB > 600 {
		t.Errorf("%+v", c)
	}
	if _, err := measure(exec.Command("bash", "-c", "exit 3")); err != nil {
		t.Errorf("a hold is a result: %v", err)
	}
	if _, err := measure(exec.Command("bash", "-c", "echo why >&2; exit 1")); err == nil || !strings.HasSuffix(err.Error(), ": why") {
		t.Errorf("%v", err)
	}
}

// TestGrow holds that ffmpeg reads a grown clip as before, and that its last box ends where the file ends.
func TestGrow(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "small.mp4"), filepath.Join(dir, "big.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5", "-t", "2", from).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	const size = 5 << 30 // more than 32 bits hold
	if err := grow(from, to, size); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(to)
	if err != nil || info.Size() != size {
		t.Fatalf("%v, %v", info, err)
	}
	small, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 16)
	if _, err := f.ReadAt(head, small.Size()); err != nil {
		t.Fatal(err)
	}
	if string(head[4:8]) != "free" || small.Size()+int64(binary.BigEndian.Uint64(head[8:])) != size {
		t.Errorf("last box is %x", head)
	}
	frames, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
		"stream=nb_read_packets", "-of", "csv=p=0", to).CombinedOutput()
	if err != nil || strings.TrimSpace(string(frames)) != "10" {
		t.Errorf("%s, %v", frames, err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.v); got != c.want {
			t.Errorf("%v: %v", c.v, got)
		}
	}
}

// TestPrint holds that what misses is marked, and nothing else.
func TestPrint(t *testing.T) {
	good := Results{Build: "veil x", CPUs: 2,
		Overhead: &OverheadResult{Clip: "a.mp4", Rounds: 3, Redact: Cost{Seconds: 10}, Job: Cost{Seconds: 10.5}},
		Thousand: &ThousandResult{Jobs: 1000, Once: 1000, Slots: 2, Seconds: 600},
		Pairs:    &PairsResult{Jobs: 12, Rounds: 3, One: 10, Two: 9.5},
		Big:      &BigResult{Bytes: 4e9, Worker: Memory{ResidentMB: 60}, Submit: Cost{PeakMB: 70}},
		Idle:     &IdleResult{Seconds: 60, Share: 0.001, Memory: Memory{ResidentMB: 50}},
		Fleet:    &FleetResult{Fleet: capacity.Fleet{Jobs: 100, Once: 100, Share: 0.95}}}
	bad := good
	bad.Overhead = &OverheadResult{Redact: Cost{Seconds: 10}, Job: Cost{Seconds: 10.7}}
	bad.Thousand = &ThousandResult{Jobs: 1000, Once: 999, Overtaken: 1, Seconds: 600}
	bad.Pairs = &PairsResult{One: 10, Two: 8.9}
	bad.Big = &BigResult{Worker: Memory{ResidentMB: 101}, Submit: Cost{PeakMB: 101}}
	bad.Idle = &IdleResult{Seconds: 60, Share: 0.02, Memory: Memory{ResidentMB: 101}}
	bad.Fleet = &FleetResult{Fleet: capacity.Fleet{Jobs: 100, Once: 99, Share: 0.89}}
	for _, c := range []struct {
		r      Results
		missed int
	}{{good, 0}, {bad, 10}, {Results{}, 0}} {
		var out bytes.Buffer
		if err := c.r.print(&out); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "missed"); n != c.missed {
			t.Errorf("%d missed, want %d\n%s", n, c.missed, out.String())
		}
	}
}
