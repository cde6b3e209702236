package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"veil/pipeline"
	"veil/pipeline/decide"
)

// planStep is how many frames lie between two whose masks' area is counted; in clips as long as any here it moves a share by less
// than its last digit.
const planStep = 5

// PlanRow is what the plan of the first pass leaves bare and covers too much. Nothing is rendered and nothing looked at again, so
// leaks are more than leakcheck's (faces too dark to judge count) and what the check of the derivative finds is not in it.
type PlanRow struct {
	Clip   string         `json:"clip"`
	Effort string         `json:"effort"`
	Faces  map[string]int `json:"faces"` // by the shorter side of the face's box in pixels, as "20-40"
	Bare   map[string]int `json:"bare"`
	// Away is the share of the picture under masks beside all faces; nil where the truth is not complete. A face is its box grown by
	// its own size on each side.
	Away *float64 `json:"away,omitempty"`
	Steady
	Missed []Miss `json:"missed,omitempty"` // the faces that are bare
}

// plans analyses each clip at every effort and holds the plans against the truth. analyses is a folder where raw analyses are kept
// and read instead of looking again, for changes that begin after the networks; "" for none.
func (b *bench) plans(ctx context.Context, clips []subject, efforts []string, analyses string) ([]PlanRow, error) {
	var rows []PlanRow
	for i, c := range clips {
		for _, effort := range efforts {
			b.progress("plan %d of %d: %s, %s", i+1, len(clips), c.name, effort)
			plan, raw, err := b.planOf(ctx, c, effort, analyses)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			t, err := readTruth(c.truth)
			if err != nil {
				return nil, err
			}
			row, err := judgePlan(t, plan)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			var seen rawAnalysis
			if err := readJSON(raw, &seen); err != nil {
				return nil, err
			}
			if row.Missed, err = missed(t, plan, seen); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			row.Clip, row.Effort = c.name, effort
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// planOf makes the plan of a clip, from the raw analysis that is kept where there is one, and says where the raw analysis lies.
func (b *bench) planOf(ctx context.Context, c subject, effort, analyses string) (plan decide.Plan, raw string, err error) {
	r, err := b.request(ctx, c.clip, effort, "plan", 0)
	if err != nil {
		return plan, "", err
	}
	if analyses == "" {
		plan, err = makePlan(ctx, r)
		return plan, r.AnalysisOut, err
	}
	// Clips of two folders may have one name, and what other code saw is no answer.
	kept := filepath.Join(analyses, c.name+"."+effort+"."+r.SHA256[:8]+"."+b.eyes+".json")
	if _, err := os.Stat(kept); err == nil {
		r.AnalysisIn, r.AnalysisOut = kept, ""
	} else if !errors.Is(err, fs.ErrNotExist) {
		return plan, "", err
	}
	plan, err = makePlan(ctx, r)
	if err != nil || r.AnalysisIn != "" {
		return plan, kept, err
	}
	if err := os.MkdirAll(analyses, 0o755); err != nil {
		return plan, "", err
	}
	data, err := os.ReadFile(r.AnalysisOut)
	if err != nil {
		return plan, "", err
	}
	// An interrupted run leaves no half analysis under the name that the next one reads.
	if err := os.WriteFile(kept+".part", data, 0o644); err != nil {
		return plan, "", err
	}
	return plan, kept, os.Rename(kept+".part", kept)
}

// lookingCode is a short digest of the code that decides what the networks see: their weights, the view that they get, and how they
// look. It does not tell of the decoder or of libraries: after a change of those, take another folder.
func lookingCode(root string) (string, error) {
	files := []string{filepath.Join(root, "pipeline", "media", "analysisview.go")}
	for _, folder := range []string{filepath.Join(root, "pipeline", "vision"), filepath.Join(root, "models")} {
		more, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(more) == 0 {
			return "", fmt.Errorf("no code in %s: %w", folder, err)
		}
		files = append(files, more...)
	}
	sum := sha256.New()
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", filepath.Base(f), len(data))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil)[:4]), nil
}

// makePlan runs the first pass in this process.
func makePlan(ctx context.Context, r pipeline.AnalyzeRequest) (decide.Plan, error) {
	var plan decide.Plan
	if _, err := (pipeline.Direct{}).Analyze(ctx, r, nil); err != nil {
		return plan, err
	}
	return plan, readJSON(r.PlanOut, &plan)
}

// judgePlan counts what a plan leaves bare and what it covers beside faces.
func judgePlan(t truth, plan decide.Plan) (PlanRow, error) {
	row := PlanRow{Faces: map[string]int{}, Bare: map[string]int{}}
	for _, f := range t.Frames {
		// A face in a frame that the plan lacks would count neither as bare nor as covered.
		if f.Index >= len(plan.Frames) {
			return row, fmt.Errorf("the truth has a frame %d, the plan %d frames", f.Index, len(plan.Frames))
		}
		for _, face := range f.Boxes {
			if _, ok := coreOf(face, t.Width, t.Height); ok {
				row.Faces[sizeOf(face)]++
			}
		}
	}
	for _, m := range bareFaces(t, plan) {
		row.Bare[sizeOf(m.Box)]++
	}
	if t.Complete == nil || *t.Complete {
		away := coveredAway(t, plan)
		row.Away = &away
	}
	var err error
	row.Steady, err = steadiness(t, plan)
	return row, err
}

// coveredAway is the share of the area beside all faces that lies under masks.
func coveredAway(t truth, plan decide.Plan) float64 {
	const face, mask = 1, 2
	free, covered := 0, 0
	grid := make([]byte, t.Width*t.Height)
	mark := func(x0, y0, x1, y1 int, v byte) {
		for y := max(y0, 0); y < min(y1, t.Height); y++ {
			for x := max(x0, 0); x < min(x1, t.Width); x++ {
				grid[y*t.Width+x] |= v
			}
		}
	}
	for i := 0; i < len(t.Frames); i += planStep {
		f := t.Frames[i]
		clear(grid)
		for _, b := range f.all() {
			mark(int(b[0]-b[2]), int(b[1]-b[3]), int(b[0]+2*b[2]+0.999), int(b[1]+2*b[3]+0.999), face)
		}
		rects, whole := masksOf(plan.Frames[f.Index])
		if whole {
			rects = append(rects, [4]int{0, 0, t.Width, t.Height})
		}
		for _, r := range rects {
			mark(r[0], r[1], r[0]+r[2], r[1]+r[3], mask)
		}
		for _, v := range grid {
			if v&face == 0 {
				free++
				covered += int(v / mask)
			}
		}
	}
	return float64(covered) / float64(max(free, 1))
}

// printPlans shows each clip at each effort, then the totals.
func printPlans(w io.Writer, rows []PlanRow) error {
	fmt.Fprint(w, `
Plans: faces that the first pass leaves bare (bare/faces, by the face's shorter side in pixels), also those too dark for leaks to be
judged. away: masks, of the picture beside faces; a total has the mean. uneven, blinks: as for clips.

`)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "clip\teffort\tfrom 10\tfrom 20\t")
	for _, s := range sizes {
		fmt.Fprintf(t, "%s\t", s)
	}
	fmt.Fprintln(t, "away\tuneven\tblinks")
	for _, r := range append(rows[:len(rows):len(rows)], planTotals(rows)...) {
		bare, faces := r.from(1)
		fmt.Fprintf(t, "%s\t%s\t%d/%d\t", r.Clip, r.Effort, bare, faces)
		bare, faces = r.from(2)
		fmt.Fprintf(t, "%d/%d\t", bare, faces)
		for _, s := range sizes {
			if r.Faces[s] > 0 {
				fmt.Fprintf(t, "%d/%d", r.Bare[s], r.Faces[s])
			}
			fmt.Fprint(t, "\t")
		}
		if r.Away != nil {
			fmt.Fprintf(t, "%.2f %%", 100**r.Away)
		}
		fmt.Fprintf(t, "\t%s\t%d\n", percent(r.Uneven, r.Pairs), r.Blinks)
	}
	return t.Flush()
}

// from adds up the classes of size from the nth on.
func (r PlanRow) from(n int) (bare, faces int) {
	for _, s := range sizes[n:] {
		bare, faces = bare+r.Bare[s], faces+r.Faces[s]
	}
	return bare, faces
}

// planTotals adds up the clips of each group and effort; of shares away from faces it has the mean.
func planTotals(rows []PlanRow) []PlanRow {
	var out []PlanRow
	for _, g := range groups {
		for _, effort := range []string{"thorough", "fast"} {
			sum := PlanRow{Clip: g.name, Effort: effort, Faces: map[string]int{}, Bare: map[string]int{}}
			n, away, judged := 0, 0.0, 0
			for _, r := range rows {
				if r.Effort != effort || !g.in(r.Clip) {
					continue
				}
				n++
				for s, v := range r.Faces {
					sum.Faces[s] += v
					sum.Bare[s] += r.Bare[s]
				}
				if r.Away != nil {
					away, judged = away+*r.Away, judged+1
				}
				sum.Pairs, sum.Uneven, sum.Blinks = sum.Pairs+r.Pairs, sum.Uneven+r.Uneven, sum.Blinks+r.Blinks
			}
			if n < 2 {
				continue
			}
			if judged > 0 {
				away /= float64(judged)
				sum.Away = &away
			}
			out = append(out, sum)
		}
	}
	return out
}
