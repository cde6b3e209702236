// Package capacity says what a number of hours of video a day takes: cores, memory, scratch, store and queue. It computes from
// figures that were measured (figures.json) and from what veil itself reserves; it measures nothing, and reaches nothing.
package capacity

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Figures is what was measured, all of it on one machine. docs/capacity.md tells how, and bench/capacity writes the file.
type Figures struct {
	Machine string    `json:"machine"` // what it was measured on
	Build   string    `json:"build"`   // of veil
	Footage []Footage `json:"footage"`
	Fleet   Fleet     `json:"fleet"`
}

// Footage is what `veil redact` took for a clip, for each frame.
type Footage struct {
	Clip       string `json:"clip"` // what it shows
	Resolution string `json:"resolution"`
	Effort     string `json:"effort"`
	Faces      int    `json:"faces"` // in each frame
	Frames     int    `json:"frames"`
	// CPU is processor time of all processes, in seconds a frame.
	CPU float64 `json:"cpu_seconds_per_frame"`
	// PeakMB is the largest memory of all processes together, in 10^6 bytes.
	PeakMB float64 `json:"peak_mb"`
	// Source and Derivative are the sizes of both files, Evidence that of plan and report, in bytes a frame.
	Source     float64 `json:"source_bytes_per_frame"`
	Derivative float64 `json:"derivative_bytes_per_frame"`
	Evidence   float64 `json:"evidence_bytes_per_frame"`
}

// Fleet is what queue, store and the workers' own processes took in the simulation with many workers.
type Fleet struct {
	Workers int     `json:"workers"`
	Jobs    int     `json:"jobs"`
	Sleep   float64 `json:"sleep_seconds"`
	Once    int     `json:"settled_once"`
	Share   float64 `json:"share_of_ideal"`
	// QueueCPU, StoreCPU and WorkerCPU are processor time for each job, in seconds.
	QueueCPU  float64 `json:"queue_cpu_seconds"`
	StoreCPU  float64 `json:"store_cpu_seconds"`
	WorkerCPU float64 `json:"worker_cpu_seconds"`
	// WorkerMB, QueueMB and StoreMB are the memory of a worker's own process and of the two servers, in 10^6 bytes.
	WorkerMB float64 `json:"worker_mb"`
	QueueMB  float64 `json:"queue_mb"`
	StoreMB  float64 `json:"store_mb"`
	// Events is how many events a job had, EventBytes the size of one in the queue's files, StateBytes that of a record.
	Events     float64 `json:"events_per_job"`
	EventBytes float64 `json:"event_bytes"`
	StateBytes float64 `json:"state_bytes"`
	// Objects is how many objects a job left in the store, ObjectBytes what they hold besides clip, derivative, plan and report.
	Objects     float64 `json:"objects_per_job"`
	ObjectBytes float64 `json:"object_bytes_per_job"`
	// HandoverMS and WaitMS are the 50th, 95th and 99th percentile of the time from a worker's answer to its next claim while jobs
	// waited, and from a job's submission to its claim while they came one by one, in milliseconds.
	HandoverMS [3]float64 `json:"handover_ms"`
	WaitMS     [3]float64 `json:"wait_ms"`
}

//go:embed figures.json
var measured []byte

// Measured are the figures that come with this build.
func Measured() (Figures, error) {
	var f Figures
	if err := json.Unmarshal(measured, &f); err != nil {
		return f, fmt.Errorf("read figures: %w", err)
	}
	return f, nil
}

// footage finds the figure of a resolution and an effort with the fewest faces.
func (f Figures) footage(resolution, effort string) (best Footage, ok bool) {
	for _, x := range f.Footage {
		if x.Resolution == resolution && x.Effort == effort && (!ok || x.Faces < best.Faces) {
			best, ok = x, true
		}
	}
	return best, ok
}

// faceCPU is what one more face costs in each frame, in seconds: the slope between the clips of one resolution with the fewest
// and the most faces; 0 where there is one clip only.
func (f Figures) faceCPU(effort string) (slope float64) {
	for _, x := range f.Footage {
		few, ok := f.footage(x.Resolution, x.Effort)
		if ok && x.Effort == effort && x.Faces > few.Faces {
			slope = max(slope, (x.CPU-few.CPU)/float64(x.Faces-few.Faces))
		}
	}
	return slope
}

// Resolutions lists the measured ones, in the order of the file.
func (f Figures) Resolutions() (all []string) {
	for _, x := range f.Footage {
		if !slices.Contains(all, x.Resolution) {
			all = append(all, x.Resolution)
		}
	}
	return all
}

// Tables are the figures as Markdown; docs/capacity.md holds them word for word.
func (f Figures) Tables() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured with %s on %s.\n\n", f.Build, f.Machine)
	fmt.Fprintln(&b, "| clip | resolution | effort | faces | frames | processor time a frame | memory, all processes | derivative | plan and report |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|")
	for _, x := range f.Footage {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %.0f ms | %.0f MB | %.1f kB a frame | %.1f kB a frame |\n", x.Clip, x.Resolution, x.Effort, x.Faces, x.Frames,
			1000*x.CPU, x.PeakMB, x.Derivative/1e3, x.Evidence/1e3)
	}
	s := f.Fleet
	fmt.Fprintf(&b, "\n| %d workers, %d jobs whose children slept %.0f s | |\n|---|---|\n", s.Workers, s.Jobs, s.Sleep)
	for _, row := range [][2]string{
		{"settled exactly once", fmt.Sprint(s.Once)},
		{"throughput, by what sleeping alone would have allowed", fmt.Sprintf("%.3f", s.Share)},
		{"from a worker's answer to its next claim (50th, 95th, 99th percentile)", marks(s.HandoverMS)},
		{"from a job's submission to its claim, jobs coming one by one", marks(s.WaitMS)},
		{"processor time a job: queue, store, worker's own process", fmt.Sprintf("%.0f ms, %.0f ms, %.0f ms", 1000*s.QueueCPU, 1000*s.StoreCPU, 1000*s.WorkerCPU)},
		{"memory: queue, store, a worker's own process", fmt.Sprintf("%.0f MB, %.0f MB, %.0f MB", s.QueueMB, s.StoreMB, s.WorkerMB)},
		{"in the queue's files: a record, an event", fmt.Sprintf("%.0f bytes, %.0f bytes", s.StateBytes, s.EventBytes)},
		{"events a job", fmt.Sprintf("%.0f", s.Events)},
		{"objects a job leaves in the store", fmt.Sprintf("%.0f", s.Objects)},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	if s.Share < quietShare {
		fmt.Fprintf(&b, "\nThe machine was busy with other work, or too small: the workers reached less than %.1f of the ideal. The waits in this table say\n"+
			"nothing then, and the processor times are more than they would be. `make bench-capacity` on a machine that does nothing else\nreplaces them.\n", quietShare)
	}
	return b.String()
}

// quietShare is what a simulation reaches of the ideal where nothing else is in its way.
const quietShare = 0.9

func marks(m [3]float64) string { return fmt.Sprintf("%.0f, %.0f, %.0f ms", m[0], m[1], m[2]) }
