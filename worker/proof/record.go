package proof

import (
	"strconv"
	"sync"
	"time"

	"veil/pipeline"
	"veil/worker/seal"
)

// Recorder keeps the event log of one clip. It may be called from several goroutines.
type Recorder struct {
	mu    sync.Mutex
	log   seal.Log
	now   func() time.Time
	stage string
	round int
	err   error
}

// Begin starts a log. Data names digests and settings, never a person, a case or a file.
func Begin(now func() time.Time, data map[string]string) *Recorder {
	r := &Recorder{now: now}
	r.err = r.log.Add(now(), "begun", data)
	return r
}

// Add appends an event. An error of an earlier one comes back here.
func (r *Recorder) Add(event string, data map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = r.log.Add(r.now(), event, data)
	}
	return r.err
}

// Event notes that a stage of the pipeline begins; what it says of its progress is left out.
func (r *Recorder) Event(e pipeline.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || e.Stage == r.stage && e.Round == r.round {
		return
	}
	r.stage, r.round = e.Stage, e.Round
	r.err = r.log.Add(r.now(), e.Stage, map[string]string{"round": strconv.Itoa(e.Round)})
}

// Redacted notes what the pipeline came to.
func (r *Recorder) Redacted(o pipeline.Outcome) error {
	data := map[string]string{"outcome": o.State, "original": o.Report.Source.SHA256, "derivative": o.Report.Derivative.SHA256, "plan": o.Report.Plan,
		"frames": strconv.Itoa(o.Report.Frames), "tracks": strconv.Itoa(o.Report.Tracks)}
	for _, k := range o.Report.Checks {
		data["check_"+k.Name] = k.Result
	}
	return r.Add("redacted", data)
}
