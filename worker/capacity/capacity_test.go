package capacity

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// plain are figures that are easy to reckon with: half a second a frame, a tenth for each further face.
var plain = Figures{
	Machine: "a machine", Build: "veil x",
	Footage: []Footage{
		{Resolution: "1080p", Effort: "thorough", Faces: 1, CPU: 0.5, PeakMB: 600, Source: 50_000, Derivative: 40_000, Evidence: 1000},
		{Resolution: "1080p", Effort: "thorough", Faces: 11, CPU: 1.5, PeakMB: 700, Source: 60_000, Derivative: 50_000, Evidence: 9000},
		{Resolution: "2160p", Effort: "thorough", Faces: 1, CPU: 2, PeakMB: 1500, Source: 200_000, Derivative: 160_000, Evidence: 1000},
	},
	Fleet: Fleet{Sleep: 12, WorkerCPU: 0.1, QueueCPU: 0.02, StoreCPU: 0.05, WorkerMB: 50, QueueMB: 100, Events: 20, EventBytes: 300, StateBytes: 4000,
		Objects: 20, ObjectBytes: 100_000},
}

// usual is what the cases change.
func usual() Ask {
	return Ask{Hours: 24, Resolution: "1080p", Effort: "thorough", Faces: 1, FPS: 25, Length: 10 * time.Minute, Deadline: 24 * time.Hour, Retention: 10, Replicas: 1, Cores: 8}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Ask)
		field  func(Need) float64
		want   float64
	}{
		{"jobs", nil, func(n Need) float64 { return n.JobsPerDay }, 144},
		// 24 h of 25 frames a second at half a second: 300 core hours and 144 tenths of a second.
		{"core hours", nil, func(n Need) float64 { return n.CoreHours }, 300 + 144*0.1/3600},
		// 300 of 24 x 0.7 hours: 17.9 cores, 8.9 slots.
		{"cores", nil, func(n Need) float64 { return float64(n.Cores) }, 18},
		{"machines", nil, func(n Need) float64 { return float64(n.Machines) }, 3},
		{"a third of the time", func(a *Ask) { a.Deadline = 8 * time.Hour }, func(n Need) float64 { return float64(n.Cores) }, 54},
		{"more faces", func(a *Ask) { a.Faces = 6 }, func(n Need) float64 { return n.CoreHours }, 600 + 144*0.1/3600},
		{"fewer faces than measured", func(a *Ask) { a.Faces = 0 }, func(n Need) float64 { return n.CoreHours }, 300 + 144*0.1/3600},
		{"a moment", func(a *Ask) { a.Hours = 0.01 }, func(n Need) float64 { return float64(n.Cores) }, 2},
		// 600 s of 25 frames at half a second by two cores.
		{"a clip", nil, func(n Need) float64 { return n.PerSlot.Seconds }, 3750},
		{"memory", nil, func(n Need) float64 { return n.PerMachine.MemoryMB }, 4*734 + 50 + 2000},
		{"memory of large pictures", func(a *Ask) { a.Resolution = "2160p" }, func(n Need) float64 { return n.PerMachine.MemoryMB }, 4*1500 + 50 + 2000},
		// 8 Mbit/s for ten minutes are 600 MB.
		{"scratch", func(a *Ask) { a.Bitrate = 8 }, func(n Need) float64 { return n.PerMachine.ScratchMB }, 4*(3*600+134.217728) + 1074},
		{"scratch as measured", nil, func(n Need) float64 { return n.PerMachine.ScratchMB }, 4*(3*750+134.217728) + 1074},
		{"originals", func(a *Ask) { a.Bitrate = 8 }, func(n Need) float64 { return n.Store.OriginalsMB }, 144 * 600 * 10},
		{"originals go after 30 days", func(a *Ask) { a.Bitrate, a.Retention = 8, 300 }, func(n Need) float64 { return n.Store.OriginalsMB }, 144 * 600 * 30},
		// 2.16 million frames a day.
		{"derivatives", nil, func(n Need) float64 { return n.Store.DerivativesMB }, 2 * 2.16 * 40_000 * 10},
		{"evidence", nil, func(n Need) float64 { return n.Store.EvidenceMB }, 2.16*1000*10 + 144*10*0.1},
		{"objects", nil, func(n Need) float64 { return n.Store.Objects }, 144 * 10 * 20},
		// A clip of 3,750 s has more events than the queue keeps of one job.
		{"queue", nil, func(n Need) float64 { return n.Queue.DiskMB }, 144 * (10*4000 + 10*2000*300) / 1e6},
		{"three copies", func(a *Ask) { a.Replicas = 3 }, func(n Need) float64 { return n.Queue.DiskMB }, 3 * 144 * (10*4000 + 10*2000*300) / 1e6},
		{"events go after 90 days", func(a *Ask) { a.Retention = 1000 }, func(n Need) float64 { return n.Queue.DiskMB }, 144 * (1000*4000 + 90*2000*300) / 1e6},
		// Ten seconds of clip take 62.5 s: as many events, and the 8 that do not come by the second.
		{"short clips have fewer events", func(a *Ask) { a.Length = 10 * time.Second }, func(n Need) float64 { return n.Queue.DiskMB }, 8640 * (10*4000 + 10*70.5*300) / 1e6},
		{"the queue's server", func(a *Ask) { a.Length = 10 * time.Second }, func(n Need) float64 { return n.Queue.Load }, 0.1 * 0.02 * 70.5 / 20},
		{"the store's server", nil, func(n Need) float64 { return n.Queue.StoreLoad }, 144. / 86400 * 0.05},
		{"line", func(a *Ask) { a.Bitrate = 8 }, func(n Need) float64 { return n.LineMbit }, 144. / 86400 * 8 * (600 + 4*0.04*25*600)},
		{"nothing to note of one machine", func(a *Ask) { a.Hours = 1 }, func(n Need) float64 { return float64(len(n.Notes)) }, 0},
		{"many machines tidy less often each", nil, func(n Need) float64 { return float64(len(n.Notes)) }, 1},
		{"a clip that takes longer than the deadline", func(a *Ask) { a.Hours, a.Cores, a.Deadline = 1, 80, time.Hour }, func(n Need) float64 { return float64(len(n.Notes)) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := usual()
			if c.change != nil {
				c.change(&a)
			}
			if err := a.Validate(plain); err != nil {
				t.Fatal(err)
			}
			if got := c.field(Of(a, plain)); math.Abs(got-c.want) > 1e-6*math.Max(1, math.Abs(c.want)) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestMoreTakesMore holds that no wish that asks for more is answered with less.
func TestMoreTakesMore(t *testing.T) {
	base := Of(usual(), plain)
	for name, change := range map[string]func(*Ask){
		"hours": func(a *Ask) { a.Hours *= 2 }, "faces": func(a *Ask) { a.Faces += 9 }, "frames": func(a *Ask) { a.FPS *= 2 },
		"deadline": func(a *Ask) { a.Deadline /= 3 }, "retention": func(a *Ask) { a.Retention *= 2 }, "replicas": func(a *Ask) { a.Replicas++ },
		"resolution": func(a *Ask) { a.Resolution = "2160p" }, "bitrate": func(a *Ask) { a.Bitrate = 50 },
	} {
		a := usual()
		change(&a)
		n := Of(a, plain)
		if n.Cores < base.Cores || n.Store.TotalMB < base.Store.TotalMB || n.Queue.DiskMB < base.Queue.DiskMB ||
			n.PerMachine.ScratchMB < base.PerMachine.ScratchMB || n.PerMachine.MemoryMB < base.PerMachine.MemoryMB {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

func TestValidateListsAllFaults(t *testing.T) {
	err := Ask{Resolution: "8k", Effort: "thorough"}.Validate(plain)
	if err == nil {
		t.Fatal("nonsense is taken")
	}
	for _, flag := range []string{"--resolution 8k", "1080p, 2160p", "--hours-per-day", "--fps", "--clip-length", "--deadline", "--retention-days", "--replicas", "--cores"} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("%q does not speak of %s", err, flag)
		}
	}
}

// TestMeasured holds that the figures that come with the program are whole, and that the page has them word for word.
func TestMeasured(t *testing.T) {
	f, err := Measured()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Footage {
		if x.CPU <= 0 || x.PeakMB <= 0 || x.Source <= 0 || x.Derivative <= 0 || x.Evidence <= 0 || x.Frames <= 0 || x.Clip == "" {
			t.Errorf("%+v", x)
		}
	}
	for _, effort := range []string{"thorough", "fast"} {
		if _, ok := f.footage("1080p", effort); !ok {
			t.Errorf("1080p, %s is missing", effort)
		}
	}
	if s := f.Fleet; s.Jobs <= 0 || s.QueueCPU <= 0 || s.StoreCPU <= 0 || s.WorkerCPU <= 0 || s.WorkerMB <= 0 || s.EventBytes <= 0 || s.StateBytes <= 0 ||
		s.Objects <= 0 || s.ObjectBytes <= 0 || f.Machine == "" || f.Build == "" {
		t.Errorf("%+v", f)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "capacity.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), f.Tables()) {
		t.Errorf("docs/capacity.md does not hold these tables: run `go run ./bench/capacity`\n%s", f.Tables())
	}
}
