package main

import (
	"fmt"
	"strings"
	"time"

	"veil/worker/capacity"
	"veil/worker/failure"
)

// capacityCmd is `veil capacity`.
type capacityCmd struct {
	HoursPerDay   float64       `required:"" placeholder:"HOURS" help:"Hours of video that come in on a day."`
	Resolution    string        `default:"1080p" placeholder:"NAME" help:"Of the clips; those that were measured stand in docs/capacity.md."`
	Effort        string        `enum:"thorough,fast" default:"thorough" placeholder:"thorough|fast" help:"How hard to look."`
	Faces         int           `default:"4" placeholder:"N" help:"Faces in a frame, on average."`
	FPS           float64       `name:"fps" default:"25" placeholder:"N" help:"Frames a second."`
	ClipLength    time.Duration `default:"10m" placeholder:"TIME" help:"Of one clip."`
	Bitrate       float64       `placeholder:"MBIT" help:"Of the clips, in megabits a second (default: as the clip that was measured)."`
	Deadline      time.Duration `default:"24h" placeholder:"TIME" help:"The clips of a day come at once and have to be done so long after; at most 24h."`
	RetentionDays int           `default:"30" placeholder:"DAYS" help:"How long derivatives and evidence stay."`
	Replicas      int           `default:"1" placeholder:"N" help:"Copies that queue and store keep of everything."`
	Cores         int           `default:"8" placeholder:"N" help:"Cores of one machine."`
}

func (c *capacityCmd) ask() capacity.Ask {
	return capacity.Ask{Hours: c.HoursPerDay, Resolution: c.Resolution, Effort: c.Effort, Faces: c.Faces, FPS: c.FPS, Length: c.ClipLength,
		Bitrate: c.Bitrate, Deadline: c.Deadline, Retention: c.RetentionDays, Replicas: c.Replicas, Cores: c.Cores}
}

// Run says what the hours take.
func (c *capacityCmd) Run(a *app) error {
	f, err := capacity.Measured()
	if err != nil {
		return err
	}
	ask := c.ask()
	if err := ask.Validate(f); err != nil {
		return failure.Usagef("see `veil capacity --help`", "%s", err)
	}
	n := capacity.Of(ask, f)
	if a.JSON {
		return a.printJSON(struct {
			Asked   capacity.Ask  `json:"asked"`
			Need    capacity.Need `json:"need"`
			Machine string        `json:"measured_on"`
			Build   string        `json:"measured_with"`
		}{ask, n, f.Machine, f.Build})
	}
	line := a.liner()
	line("asked", "%g h of %s a day, %.0f clips of %s, %d faces, done within %s", ask.Hours, ask.Resolution, n.JobsPerDay, plainTime(ask.Length), ask.Faces, plainTime(ask.Deadline))
	line("cores", "%d (%.1f core hours a day; a clip takes about %s where it does not wait)", n.Cores, n.CoreHours, plainTime(time.Duration(n.PerSlot.Seconds)*time.Second))
	line("machines", "%d with %d cores: a worker with --slots %d on each", n.Machines, ask.Cores, n.PerMachine.Slots)
	line("memory", "%s on each", megabytes(n.PerMachine.MemoryMB))
	line("scratch", "%s on each", megabytes(n.PerMachine.ScratchMB))
	line("store", "%s: originals %s, derivatives %s, evidence %s, kept %d days, copies %d, %.0f objects", megabytes(n.Store.TotalMB),
		megabytes(n.Store.OriginalsMB), megabytes(n.Store.DerivativesMB), megabytes(n.Store.EvidenceMB), ask.Retention, ask.Replicas, n.Store.Objects)
	line("queue", "%s of disk, %s of memory, %.1f %% of a core; the store's server %.1f %%", megabytes(n.Queue.DiskMB), megabytes(n.Queue.MemoryMB),
		100*n.Queue.Load, 100*n.Queue.StoreLoad)
	line("line", "%.0f Mbit/s between workers and store while they work", n.LineMbit)
	for _, note := range n.Notes {
		line("note", "%s", note)
	}
	line("measured", "%s, %s", f.Machine, f.Build)
	return nil
}

// plainTime is a time without its zero parts.
func plainTime(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// megabytes words a size given in 10^6 bytes.
func megabytes(mb float64) string {
	switch {
	case mb >= 1e6:
		return fmt.Sprintf("%.1f TB", mb/1e6)
	case mb >= 1000:
		return fmt.Sprintf("%.1f GB", mb/1000)
	}
	return fmt.Sprintf("%.0f MB", mb)
}
