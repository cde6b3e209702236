package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the tables for people.
func (r Results) print(w io.Writer, why bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %d cores\n", r.Build, r.CPUs)
	if s := r.Speed; s != nil {
		fmt.Fprintf(w, "\nSpeed: %s, %d frames, median of %d\n", s.Clip, s.Frames, s.Rounds)
		fmt.Fprintf(t, "analyze\t%.1f\tframes/s\t\n", s.Analyze)
		for _, effort := range []string{"thorough", "fast"} {
			if v, ok := s.Five[effort]; ok {
				fmt.Fprintf(t, "analyze, five faces, %s\t%.1f\tframes/s\t\n", effort, v)
			}
		}
		fmt.Fprintf(t, "render, %d moving masks\t%.1f\tframes/s\t\n", masks, s.Render)
		fmt.Fprintf(t, "verify\t%.1f\tframes/s\t\n", s.Verify)
		fmt.Fprintf(t, "ffmpeg alone, same encoder\t%.1f\tframes/s\t\n", s.Plain)
		fmt.Fprintf(t, "render takes\t%.2f\ttimes ffmpeg alone\t\n", s.Ratio)
		fmt.Fprintf(t, "whole veil redact\t%.1f\tseconds\t\n", s.Redact.Seconds)
		fmt.Fprintf(t, "peak memory, all processes\t%.0f\tMB%s\t\n", s.Redact.PeakMB, how(s.Redact))
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "encoder: %s\n", strings.Join(s.Encoder, " "))
	}
	if len(r.Footage) > 0 {
		fmt.Fprintln(w, "\nFootage: veil redact, by frame")
		fmt.Fprintln(t, "clip\tresolution\teffort\tCPU ms\tpeak MB\tderivative kB\tevidence kB\t")
		for _, f := range r.Footage {
			fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.0f\t%.1f\t%.1f\t\n", f.Clip, f.Resolution, f.Effort, 1000*f.CPU, f.PeakMB, f.Derivative/1e3, f.Evidence/1e3)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(r.Memory) > 0 {
		fmt.Fprintln(w, "\nMemory: veil redact at 1080p, all processes")
		fmt.Fprintln(t, "clip\tframes\tpeak MB\tseconds\t")
		for _, m := range r.Memory {
			fmt.Fprintf(t, "%d s\t%d\t%.0f%s\t%.0f\t\n", m.Seconds, m.Frames, m.Use.PeakMB, how(m.Use), m.Use.Seconds)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(r.Clips) > 0 {
		if err := printClips(w, r.Clips); err != nil {
			return err
		}
	}
	if len(r.Pictures) > 0 {
		if err := printPictures(w, r.Pictures); err != nil {
			return err
		}
	}
	if len(r.Plans) > 0 {
		if err := printPlans(w, r.Plans); err != nil {
			return err
		}
	}
	if why {
		return printWhy(w, r.Clips, r.Plans)
	}
	return nil
}

func how(u Usage) string {
	if u.Resident {
		return " (resident: shared pages count twice)"
	}
	return ""
}
