package capacity

import (
	"fmt"
	"math"
	"strings"
	"time"

	"veil/worker/room"
)

// What is reckoned with besides the figures.
const (
	// busy is how much of the cores may be planned: the rest is for days with more than usual, retries and the system.
	busy = 0.7
	// coresPerClip is what `veil worker` gives a clip by default.
	coresPerClip = 2
	// slotMB is the least that `veil worker` reckons a clip with, in 10^6 bytes.
	slotMB = 734
	// systemMB is for the operating system and its cache of files, on each machine.
	systemMB = 2000
	// reserveMB is the scratch space that a worker keeps free by default.
	reserveMB = 1074
	// handedIn is how long a clip that was handed in as a file stays after its answer, in days (--collect-clips).
	handedIn = 30
	// eventDays is how long the queue keeps events, eventsMost how many of a job.
	eventDays, eventsMost = 90, 2000
	// attempt and release: a derivative lies under both prefixes.
	derivativeCopies = 2

	day = 24 * time.Hour
)

// Ask is what is to be done.
type Ask struct {
	Hours      float64       `json:"hours_per_day"`           // of video that come in on a day
	Resolution string        `json:"resolution"`              // one of Figures.Resolutions
	Effort     string        `json:"effort"`                  // "thorough" or "fast"
	Faces      int           `json:"faces"`                   // in a frame, on average
	FPS        float64       `json:"frames_per_second"`       // frames a second
	Length     time.Duration `json:"clip_length_ns"`          // of a clip
	Bitrate    float64       `json:"bitrate_mbit_per_second"` // of the source, in 10^6 bits a second; 0: as the measured clip
	Deadline   time.Duration `json:"deadline_ns"`             // the clips of a day come at once and have to be done so long after, at most a day
	Retention  int           `json:"retention_days"`          // days for which derivatives and evidence stay
	Replicas   int           `json:"replicas"`                // copies that queue and store keep of everything
	Cores      int           `json:"cores_per_machine"`       // of one machine
}

// Need is what it takes. Sizes are in 10^6 bytes.
type Need struct {
	JobsPerDay float64 `json:"jobs_per_day"`
	// CoreHours is processor time a day.
	CoreHours float64 `json:"core_hours_per_day"`
	Cores     int     `json:"cores"`
	Slots     int     `json:"slots"`    // clips at once, on all machines
	Machines  int     `json:"machines"` // of Ask.Cores cores
	PerSlot   struct {
		// Seconds is how long a clip takes where it does not wait.
		Seconds float64 `json:"clip_seconds"`
	} `json:"per_slot"`
	PerMachine struct {
		Slots     int     `json:"slots"`
		MemoryMB  float64 `json:"memory_mb"`
		ScratchMB float64 `json:"scratch_mb"`
	} `json:"per_machine"`
	Store struct {
		OriginalsMB   float64 `json:"originals_mb"` // handed in as files
		DerivativesMB float64 `json:"derivatives_mb"`
		EvidenceMB    float64 `json:"evidence_mb"`
		TotalMB       float64 `json:"total_mb"` // with all copies
		Objects       float64 `json:"objects"`
	} `json:"store"`
	Queue struct {
		DiskMB   float64 `json:"disk_mb"` // with all copies
		MemoryMB float64 `json:"memory_mb"`
		// Load is the part of one core that the queue's server needs while the clips of a day are worked on, StoreLoad that of the
		// store for requests; the bytes of clips come on top.
		Load      float64 `json:"queue_load"`
		StoreLoad float64 `json:"store_load"`
	} `json:"queue"`
	// LineMbit is what goes over the workers' lines to the store and back, in 10^6 bits a second.
	LineMbit float64  `json:"line_mbit_per_second"`
	Notes    []string `json:"notes,omitempty"`
}

// Validate lists all faults at once.
func (a Ask) Validate(f Figures) error {
	var faults []string
	check := func(ok bool, format string, v ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, v...))
		}
	}
	_, known := f.footage(a.Resolution, a.Effort)
	check(known, "--resolution %s --effort %s was not measured: %s", a.Resolution, a.Effort, strings.Join(f.Resolutions(), ", "))
	check(a.Hours > 0 && a.Hours <= 1e6, "--hours-per-day is above 0")
	check(a.Faces >= 0 && a.Faces <= 10000, "--faces is 0 or more")
	check(a.FPS > 0 && a.FPS <= 1000, "--fps is above 0")
	check(a.Length >= time.Second && a.Length <= day, "--clip-length is between a second and a day")
	check(a.Bitrate >= 0 && a.Bitrate <= 1e5, "--bitrate is 0 or more")
	check(a.Deadline >= time.Minute && a.Deadline <= day, "--deadline is between a minute and a day")
	check(a.Retention >= 1, "--retention-days is at least 1")
	check(a.Replicas >= 1, "--replicas is at least 1")
	check(a.Cores >= coresPerClip, "--cores is at least %d", coresPerClip)
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}

// Of says what an Ask takes, by the figures. The Ask must be valid.
func Of(a Ask, f Figures) Need {
	var n Need
	m, _ := f.footage(a.Resolution, a.Effort)
	frames := a.Hours * 3600 * a.FPS
	clipSeconds := a.Length.Seconds()
	n.JobsPerDay = a.Hours * 3600 / clipSeconds
	perFrame := m.CPU + float64(max(a.Faces-m.Faces, 0))*f.faceCPU(a.Effort)
	n.CoreHours = (frames*perFrame + n.JobsPerDay*f.Fleet.WorkerCPU) / 3600
	n.Slots = max(1, ceil(n.CoreHours/(busy*a.Deadline.Hours())/coresPerClip))
	n.PerMachine.Slots = a.Cores / coresPerClip
	n.Machines = ceil(float64(n.Slots) / float64(n.PerMachine.Slots))
	n.Cores = n.Slots * coresPerClip
	n.PerSlot.Seconds = clipSeconds * a.FPS * perFrame / coresPerClip
	n.memory(m, f)
	bitrate := a.Bitrate
	if bitrate == 0 {
		bitrate = m.Source * a.FPS * 8 / 1e6
	}
	clipMB := bitrate / 8 * clipSeconds
	n.PerMachine.ScratchMB = float64(n.PerMachine.Slots)*(room.ClipFactor*clipMB+float64(room.Extra)/1e6) + reserveMB
	n.store(a, m, f, clipMB)
	n.queue(a, f)
	perSecond := n.JobsPerDay / a.Deadline.Seconds()
	n.LineMbit = perSecond * 8 * (clipMB + 2*derivativeCopies*m.Derivative*a.FPS*clipSeconds/1e6) // what is put is read back
	n.notes(a, m)
	return n
}

func (n *Need) memory(m Footage, f Figures) {
	n.PerMachine.MemoryMB = float64(n.PerMachine.Slots)*max(slotMB, m.PeakMB) + f.Fleet.WorkerMB + systemMB
}

func (n *Need) store(a Ask, m Footage, f Figures, clipMB float64) {
	perDay := a.Hours * 3600 * a.FPS / 1e6 // 10^6 frames
	days := float64(a.Retention)
	n.Store.OriginalsMB = n.JobsPerDay * clipMB * math.Min(days, handedIn)
	n.Store.DerivativesMB = derivativeCopies * perDay * m.Derivative * days
	n.Store.EvidenceMB = perDay*m.Evidence*days + n.JobsPerDay*days*f.Fleet.ObjectBytes/1e6
	n.Store.TotalMB = float64(a.Replicas) * (n.Store.OriginalsMB + n.Store.DerivativesMB + n.Store.EvidenceMB)
	n.Store.Objects = n.JobsPerDay * days * f.Fleet.Objects
}

func (n *Need) queue(a Ask, f Figures) {
	// A job has an event a second for as long as it is worked on, and some besides.
	events := math.Min(n.PerSlot.Seconds+math.Max(f.Fleet.Events-f.Fleet.Sleep, 0), eventsMost)
	days := float64(a.Retention)
	n.Queue.DiskMB = float64(a.Replicas) * n.JobsPerDay / 1e6 * (days*f.Fleet.StateBytes + math.Min(days, eventDays)*events*f.Fleet.EventBytes)
	n.Queue.MemoryMB = f.Fleet.QueueMB
	perSecond := n.JobsPerDay / a.Deadline.Seconds()
	n.Queue.Load = perSecond * f.Fleet.QueueCPU * events / math.Max(f.Fleet.Events, 1)
	n.Queue.StoreLoad = perSecond * f.Fleet.StoreCPU
}

func (n *Need) notes(a Ask, m Footage) {
	note := func(format string, v ...any) { n.Notes = append(n.Notes, fmt.Sprintf(format, v...)) }
	if n.PerSlot.Seconds > a.Deadline.Seconds() {
		note("a single clip takes longer than the deadline: give each clip more cores (fewer --slots), or cut clips shorter")
	}
	if m.PeakMB > slotMB {
		note("a clip of this size needs %.0f MB: start workers with --slots %d on a machine of %d cores, and no more", m.PeakMB, n.PerMachine.Slots, a.Cores)
	}
	if n.Queue.Load > busy {
		note("the queue's server has to do more than one core can: cut the day into fewer, longer clips")
	}
	if n.Machines > 1 {
		note("with %d workers set --collect and --retention to %dh: one of them tidies each hour then", n.Machines, n.Machines)
	}
}

func ceil(v float64) int { return int(math.Ceil(v - 1e-9)) }
