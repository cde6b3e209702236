package pipeline

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"veil/pipeline/decide"
	"veil/pipeline/media"
)

// TestWatchedIsWhatASearchSees: what the networks see of a derivative while it is compared is what they see where it is decoded for
// them, in every layout; what no matrix turns into colours is decoded for them.
func TestWatchedIsWhatASearchSees(t *testing.T) {
	hdr := []string{"-pix_fmt", "yuv420p10le", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_primaries", "bt2020"}
	clips := append(slices.Clone(madeClips),
		made{name: "full range", width: 320, height: 240, filter: "scale=out_range=pc", encode: []string{"-color_range", "pc"}},
		made{name: "high dynamic range", width: 320, height: 240, encode: hdr})
	for _, name := range []string{"plain with B-frames", "odd sides", "anamorphic", "ten bit", "4:2:2", "filmed upside down", "full range",
		"high dynamic range"} {
		m := clips[slices.IndexFunc(clips, func(m made) bool { return m.name == name })]
		v, res := checked(t, m, "solid", nil)
		if m.filmed == 0 && len(res.Findings) == 0 {
			t.Errorf("%s: the open face was not found", name)
		}
		searched, looked, err := v.search(t.Context())
		if err != nil || looked == 0 {
			t.Fatalf("%s: %d frames looked at, %v", name, looked, err)
		}
		target, err := media.NewTarget(v.source, v.plan.Policy.Profile)
		if err != nil {
			t.Fatal(err)
		}
		v.target = target
		if err := v.compare(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v.searchApart != v.derivative.Video.HDR || v.searchApart != (v.watched == nil) || v.searchApart != (name == "high dynamic range") {
			t.Errorf("%s: apart %v, watched %v, high dynamic range %v", name, v.searchApart, v.watched, v.derivative.Video.HDR)
		}
		watched, again, err := v.search(t.Context())
		if err != nil || again != looked || len(watched) != len(searched) {
			t.Errorf("%s: %d frames looked at and %d faces, %v; a search has %d and %d", name, again, len(watched), err, looked, len(searched))
			continue
		}
		for i, s := range watched {
			o := searched[i]
			shared := overlap(s.face.Box, o.face.Box)
			if s.frame != o.frame || shared < 0.8*max(s.face.Box.W*s.face.Box.H, o.face.Box.W*o.face.Box.H) || math.Abs(s.face.Score-o.face.Score) > 0.1 {
				t.Errorf("%s: saw %+v, a search %+v", name, s, o)
			}
		}
	}
}

// TestWatchFailsClosed: networks that can not be had, a cancel, early or late, a derivative that is cut and another number of frames
// are errors, each of its own kind.
func TestWatchFailsClosed(t *testing.T) {
	v, _ := checked(t, madeClips[0], "solid", nil)
	var err error
	if v.target, err = media.NewTarget(v.source, v.plan.Policy.Profile); err != nil {
		t.Fatal(err)
	}
	fresh := func() *verifier {
		w := *v
		w.result, w.events = VerifyResult{}, nil
		return &w
	}
	w := fresh()
	ctx, cancel := context.WithCancel(t.Context())
	w.events = func(Event) { cancel() }
	if err := w.compare(ctx); !errors.Is(err, context.Canceled) || w.watched != nil {
		t.Errorf("after a cancel: %v, %v", err, w.watched)
	}
	b, err := os.ReadFile(v.request.Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, share := range []int{50, 90} {
		w = fresh()
		w.request.Out = filepath.Join(t.TempDir(), "cut.mp4")
		if err := os.WriteFile(w.request.Out, b[:share*len(b)/100], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.compare(t.Context()); !errors.Is(err, ErrVerify) || errors.Is(err, context.Canceled) || w.watched != nil {
			t.Errorf("a derivative of which %d %% are left: %v, %v", share, err, w.watched)
		}
	}
	for left := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		events := func(e Event) {
			if e.Done >= e.Total-int64(left) {
				cancel()
			}
		}
		if _, err := (Direct{}).Verify(ctx, v.request, events); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled %d frames before the end: %v", left, err)
		}
		cancel()
	}
	w = fresh()
	w.request.Config.Models = t.TempDir()
	if err := w.compare(t.Context()); err == nil || w.watched != nil {
		t.Errorf("without networks: %v, %v", err, w.watched)
	}
	w = fresh()
	w.plan.Frames = append(slices.Clone(w.plan.Frames), decide.Frame{})
	if err := w.compare(t.Context()); err == nil {
		t.Error("another number of frames than the plan's passed")
	}
	if err := (&seenFaces{results: 3}).all(4); !errors.Is(err, ErrVerify) {
		t.Errorf("a frame without a result: %v", err)
	}
}
