package e2e_test

import (
	"testing"

	"veil/pipeline/track"
)

// TestPeopleWhoMeet keeps each of two people in turn who walk towards each other and whose faces nobody can tell apart: the
// other one is covered in every frame, whoever the tracks take for whom (A27).
func TestPeopleWhoMeet(t *testing.T) {
	t.Parallel()
	const frames = 70
	for _, c := range []struct {
		name      string
		stand, on int
	}{{"pass", 0, 1}, {"turn back", 0, -1}, {"stand and pass", 20, 1}, {"stand and turn back", 20, -1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			who := func(i int) []track.Box { return meeting(i, c.stand, c.on) }
			p := newPlace(t)
			simpleClip(t, p.path("clip.mp4"), frames, who)
			p.must(t, exitReleased, "analyze", "clip.mp4", "-o", "plan.json", "--fill", "solid", "--cover", "face", "--profile", "court")
			before := framesOf(t, p.path("clip.mp4"), "yuv420p")
			var ids [2]int
			for _, r := range readPlan(t, p.path("plan.json")).Frames[0].Regions {
				ids[min(1, r.Rect[0]/(clipWidth/2))] = r.Track
			}
			for kept, id := range ids {
				p.must(t, exitReleased, "render", "clip.mp4", "--plan", "plan.json", "-o", itoa(kept)+".mp4", "--keep", itoa(id),
					"--reason", "she agreed", "--by", "A. Editor")
				after := framesOf(t, p.path(itoa(kept)+".mp4"), "yuv420p")
				if len(after) != frames {
					t.Fatalf("%d frames", len(after))
				}
				seen := 0
				for i := range after {
					faces := who(i)
					if !isFill(after[i], rect(faces[1-kept])) {
						t.Errorf("person %d kept: frame %d: the face of the other one is not covered", kept, i)
					}
					if psnr(before[i], after[i], rect(faces[kept])) > 38 {
						seen++
					}
				}
				if seen < 10 {
					t.Errorf("person %d kept: visible in %d frames", kept, seen)
				}
			}
		})
	}
}

// meeting has two people walk towards each other, stand in one place for some frames, one before the other, and go on (1) or
// back (-1).
func meeting(i, stand, on int) []track.Box {
	const meet = 35
	way := float64(min(i, meet) + on*max(i-meet-stand, 0))
	return []track.Box{{X: 14 + 3.4*way, Y: 84, W: 50, H: 60}, {X: 252 - 3.4*way, Y: 84, W: 50, H: 60}}
}
