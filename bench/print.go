package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the tables for people.
func (r Results) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, %d cores\n", r.Build, r.CPUs)
	if s := r.Speed; s != nil {
		fmt.Fprintf(w, "\nSpeed: %s, %d frames, median of %d\n", s.Clip, s.Frames, s.Rounds)
		fmt.Fprintf(t, "analyze\t%.1f\tframes/s\t\n", s.Analyze)
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
	if len(r.Leaks) > 0 {
		return printLeaks(w, r.Leaks)
	}
	return nil
}

func how(u Usage) string {
	if u.Resident {
		return " (resident: shared pages count twice)"
	}
	return ""
}

// printLeaks shows each clip, then the totals of the hard ones and of the rest.
func printLeaks(w io.Writer, rows []LeakRow) error {
	fmt.Fprintln(w, "\nFaces left visible (leaks/faces, by the face's shorter side in pixels), solid fill on faces")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "clip\tleaks\t%%\t%s\tover-masked\t\n", strings.Join(sizes, "\t"))
	wild := func(c string) bool { return strings.HasPrefix(c, "wild_") }
	easy := func(c string) bool { return !wild(c) && !strings.HasPrefix(c, "crowd_") }
	all := rows
	for _, g := range []struct {
		name string
		in   func(string) bool
	}{{"wild_*, all", wild}, {"easy clips, all", easy}} {
		if some := group(rows, g.in); len(some) > 1 {
			all = append(all[:len(all):len(all)], total(g.name, some))
		}
	}
	for _, r := range all {
		share := 0.0
		if r.Faces > 0 {
			share = 100 * float64(r.Leaks) / float64(r.Faces)
		}
		fmt.Fprintf(t, "%s\t%d/%d\t%.1f\t", r.Clip, r.Leaks, r.Faces, share)
		for _, s := range sizes {
			if v, ok := r.BySide[s]; ok {
				fmt.Fprintf(t, "%d/%d", v[0], v[1])
			}
			fmt.Fprint(t, "\t")
		}
		if r.OverMasked != nil {
			fmt.Fprintf(t, "%.2f %%", 100**r.OverMasked)
		}
		fmt.Fprintf(t, "\t%s\n", r.State)
	}
	return t.Flush()
}
