package e2e_test

import "testing"

// TestNoNetwork runs the whole job in a network namespace that has no way out, not even to itself (R22).
func TestNoNetwork(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if r := p.exec(t, "unshare", "-n", "true"); r.code != 0 {
		skip(t, "network namespaces are not permitted: %s", r.err)
	}
	simpleClip(t, p.path("clip.mp4"), 20, oneFace)
	r := p.exec(t, "unshare", "-n", program, "redact", "clip.mp4", "-o", "out.mp4", "--plan-out", "plan.json", "--contact-sheet", "sheet.png")
	if r.code != exitReleased {
		t.Fatalf("ended with %d: %s%s", r.code, r.out, r.err)
	}
	if len(readPlan(t, p.path("plan.json")).Tracks) != 1 {
		t.Error("the face was not found")
	}
	p.clean(t)
}
