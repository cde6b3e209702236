package e2e_test

import (
	"bytes"
	"image/png"
	"os"
	"strings"
	"testing"

	"veil/pipeline/decide"
)

// solidLuma is what --fill solid leaves.
const solidLuma = 48

// isFill reports whether a rectangle of a frame holds the solid fill.
func isFill(luma []byte, r [4]int) bool {
	for y := r[1]; y < r[1]+r[3]; y++ {
		for x := r[0]; x < r[0]+r[2]; x++ {
			if v := int(luma[y*clipWidth+x]); v < solidLuma-6 || v > solidLuma+6 {
				return false
			}
		}
	}
	return true
}

// analyzed makes the clip of two and its plan, with a people sheet.
func analyzed(t *testing.T, frames int) (*place, decide.Plan) {
	t.Helper()
	p := newPlace(t)
	simpleClip(t, p.path("clip.mp4"), frames, twoFaces)
	p.must(t, 0, "analyze", "clip.mp4", "-o", "plan.json", "--people", "people.png", "--fill", "solid", "--cover", "face", "--profile", "court")
	plan := readPlan(t, p.path("plan.json"))
	if len(plan.Tracks) != 2 {
		t.Fatalf("%d tracks instead of 2", len(plan.Tracks))
	}
	return p, plan
}

// sides gives the numbers of the tracks on either side.
func sides(plan decide.Plan) (left, right int) {
	for _, tr := range plan.Tracks {
		if tr.BestBox[0] < clipWidth/2 {
			left = tr.ID
		} else {
			right = tr.ID
		}
	}
	return left, right
}

// TestPlanEditedByHand adds a region to every frame of a plan: it is rendered as edited, and nothing is detected again.
func TestPlanEditedByHand(t *testing.T) {
	t.Parallel()
	p, plan := analyzed(t, 15)
	added := decide.Region{Kind: decide.KindAdded, Rect: [4]int{128, 160, 48, 64}}
	for i := range plan.Frames {
		plan.Frames[i].Regions = append(plan.Frames[i].Regions, added)
	}
	writePlan(t, p.path("edited.json"), plan)
	p.must(t, exitReleased, "render", "clip.mp4", "--plan", "edited.json", "-o", "out.mp4")
	for i, frame := range framesOf(t, p.path("out.mp4"), "yuv420p") {
		if !isFill(frame, added.Rect) {
			t.Errorf("frame %d: the added region is not covered", i)
		}
		for _, b := range twoFaces(i) {
			if !isFill(frame, rect(b)) {
				t.Errorf("frame %d: a face is not covered", i)
			}
		}
	}
	b := bytes.Replace(read(t, p.path("edited.json")), []byte(`[128,160,48,64]`), []byte(`[128,160,4800,64]`), 1)
	write(t, p.path("wrong.json"), b)
	oneLine(t, p.veil(t, "render", "clip.mp4", "--plan", "wrong.json", "-o", "none.mp4"), exitUsage)
	absent(t, p.path("none.mp4"))
	p.clean(t)
}

// TestKeptPersonStaysVisible keeps one of two people, by the number on the people sheet (U3, R17).
func TestKeptPersonStaysVisible(t *testing.T) {
	t.Parallel()
	p, plan := analyzed(t, 25)
	f, err := os.Open(p.path("people.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Errorf("people sheet: %v", err)
	}
	left, right := sides(plan)
	p.must(t, exitReleased, "render", "clip.mp4", "--plan", "plan.json", "-o", "out.mp4", "--keep", itoa(right), "--reason", "she agreed", "--by", "A. Editor",
		"--plan-out", "kept.json", "--report", "report.json")
	before, after := framesOf(t, p.path("clip.mp4"), "yuv420p"), framesOf(t, p.path("out.mp4"), "yuv420p")
	for i := range after {
		faces := twoFaces(i)
		if !isFill(after[i], rect(faces[0])) {
			t.Errorf("frame %d: the other face is not covered", i)
		}
		if db := psnr(before[i], after[i], rect(faces[1])); db < 38 {
			t.Errorf("frame %d: the kept face has %.1f dB", i, db)
		}
	}
	kept := readPlan(t, p.path("kept.json"))
	for _, tr := range kept.Tracks {
		want := decide.StateCovered
		if tr.ID == right {
			want = decide.StateKept
		}
		if tr.State != want || (tr.ID == right) != (tr.By == "A. Editor") {
			t.Errorf("track %d (left is %d): %s by %s", tr.ID, left, tr.State, tr.By)
		}
	}
	if kept.Decided == nil || kept.Decided.Plan != decide.Digest(read(t, p.path("plan.json"))) {
		t.Error("the plan does not name the one that was decided about")
	}
	p.clean(t)
}

// TestHeldUntilDismissed takes one person's masks out of a plan: the check on the output finds that face, the clip is held, and
// only a person's word releases it.
func TestHeldUntilDismissed(t *testing.T) {
	t.Parallel()
	p, plan := analyzed(t, 15)
	left, right := sides(plan)
	forget(&plan, right)
	writePlan(t, p.path("edited.json"), plan)
	r := p.must(t, exitHeld, "render", "clip.mp4", "--plan", "edited.json", "-o", "out.mp4")
	absent(t, p.path("out.mp4"))
	if n := len(stampsOf(t, p.path("out.held.mp4"))); n != 15 {
		t.Errorf("the held derivative has %d frames", n)
	}
	held := readPlan(t, p.path("out.held.plan.json"))
	if len(held.Findings) == 0 || !strings.Contains(r.out, held.Findings[0].ID) {
		t.Fatalf("findings %+v, said %q", held.Findings, r.out)
	}
	var ids []string
	for _, f := range held.Findings {
		ids = append(ids, f.ID)
	}
	p.must(t, exitReleased, "render", "clip.mp4", "--plan", "out.held.plan.json", "-o", "out.mp4", "--dismiss", strings.Join(ids, ","), "--reason", "a poster", "--by", "B. Editor")
	for i, frame := range framesOf(t, p.path("out.mp4"), "yuv420p") {
		if !isFill(frame, rect(twoFaces(i)[0])) {
			t.Errorf("frame %d: track %d is not covered", i, left)
		}
	}
	// A region over the face releases it too.
	p.must(t, exitReleased, "render", "clip.mp4", "--plan", "out.held.plan.json", "-o", "covered.mp4", "--region", "208,64,96,112", "--reason", "a face", "--by", "B. Editor",
		"--dismiss", strings.Join(ids, ","))
	for i, frame := range framesOf(t, p.path("covered.mp4"), "yuv420p") {
		if !isFill(frame, rect(twoFaces(i)[1])) {
			t.Errorf("frame %d: the region does not cover", i)
		}
	}
	// Discarded, nothing is left but the plan to decide about.
	p.must(t, exitHeld, "render", "clip.mp4", "--plan", "edited.json", "-o", "gone.mp4", "--on-hold", "discard")
	absent(t, p.path("gone.mp4"))
	absent(t, p.path("gone.held.mp4"))
	p.clean(t)
}

// forget takes a track out of a plan, as if nobody had seen it.
func forget(plan *decide.Plan, track int) {
	var tracks []decide.Track
	for _, tr := range plan.Tracks {
		if tr.ID != track {
			tracks = append(tracks, tr)
		}
	}
	plan.Tracks = tracks
	for i := range plan.Frames {
		var regions []decide.Region
		for _, r := range plan.Frames[i].Regions {
			if r.Track != track {
				regions = append(regions, r)
			}
		}
		plan.Frames[i].Regions = regions
	}
}

// TestDecisionsForOtherBytes are refused, and so are a plan for another clip and decisions that say nothing.
func TestDecisionsForOtherBytes(t *testing.T) {
	t.Parallel()
	p, plan := analyzed(t, 8)
	left, _ := sides(plan)
	doc := decide.Decisions{Schema: decide.DecisionsSchema, Plan: decide.Digest(read(t, p.path("plan.json"))), By: "C. Editor",
		Keep: []decide.KeepTrack{{Track: left, Reason: "agreed"}}}
	good, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(t, p.path("good.json"), good)
	plan.Tracks[0].Score = 0.5
	writePlan(t, p.path("other.json"), plan)
	simpleClip(t, p.path("other.mp4"), 8, oneFace)
	write(t, p.path("unknown.json"), bytes.Replace(good, []byte(`"by"`), []byte(`"because"`), 1))
	for _, args := range [][]string{
		{"clip.mp4", "--plan", "other.json", "--decisions", "good.json"},
		{"other.mp4", "--plan", "plan.json"},
		{"other.mp4", "--plan", "plan.json", "--decisions", "good.json"},
		{"clip.mp4", "--plan", "plan.json", "--decisions", "unknown.json"},
		{"clip.mp4", "--plan", "plan.json", "--decisions", "nowhere.json"},
		{"clip.mp4", "--plan", "good.json"},
		{"clip.mp4", "--plan", "nowhere.json"},
		{"clip.mp4", "--plan", "plan.json", "--keep", "99", "--reason", "x", "--by", "y"},
		{"clip.mp4", "--plan", "plan.json", "--dismiss", "F9", "--reason", "x", "--by", "y"},
		{"clip.mp4", "--plan", "plan.json", "--keep", itoa(left), "--reason", "x"},
		{"clip.mp4", "--plan", "plan.json", "--region", "0,0,4000,10", "--reason", "x", "--by", "y"},
	} {
		r := p.veil(t, append(append([]string{"render"}, args...), "-o", "out.mp4")...)
		oneLine(t, r, exitUsage)
		absent(t, p.path("out.mp4"))
	}
	p.must(t, exitReleased, "render", "clip.mp4", "--plan", "plan.json", "--decisions", "good.json", "-o", "out.mp4")
	p.clean(t)
}
