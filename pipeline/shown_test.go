package pipeline

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/decide"
)

// TestShownIsWhatFFmpegSees: the digests that go into a manifest are those that anybody gets from ffmpeg's framehash.
func TestShownIsWhatFFmpegSees(t *testing.T) {
	for _, name := range []string{"variable rate with B-frames", "ten bit", "4:4:4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := madeClips[slices.IndexFunc(madeClips, func(m made) bool { return m.name == name })]
			policy, err := decide.Shipped("press")
			if err != nil {
				t.Fatal(err)
			}
			policy.Fill, policy.Effort = "solid", "fast"
			var shown Shown
			res, err := Redact(t.Context(), Direct{}, Request{Config: testConfig(t), In: m.make(t), Out: filepath.Join(t.TempDir(), "out.mp4"), Policy: policy,
				Seal: func(_ context.Context, o Outcome) error {
					shown = o.Account.Shown
					if _, err := os.Stat(o.Derivative); err == nil {
						t.Error("the derivative is there before its evidence")
					}
					return nil
				}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("ffmpeg", "-v", "error", "-i", res.Derivative, "-map", "0:v", "-fps_mode", "passthrough", "-c:v", "rawvideo",
				"-f", "framehash", "-hash", "sha256", "-").Output()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(out)) {
				if f := strings.Split(line, ","); !strings.HasPrefix(line, "#") && len(f) > 5 {
					want = append(want, strings.TrimSpace(f[5]))
				}
			}
			if diff := cmp.Diff(want, shown.SHA256); diff != "" || len(shown.PTS) != madeFrames {
				t.Errorf("%d frames: %s", len(shown.PTS), diff)
			}
			if shown.Width != m.width || shown.Height != m.height || shown.TimeBase == "" {
				t.Errorf("%+v", shown)
			}
		})
	}
}

// TestSealFails: without its evidence no derivative appears.
func TestSealFails(t *testing.T) {
	r := testRequest(t)
	lost := errors.New("no key")
	r.Seal = func(context.Context, Outcome) error { return lost }
	if _, err := Redact(t.Context(), &fakeStages{t: t, verdicts: []VerifyResult{allPassed}}, r, nil); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	onlyFiles(t, r)
}

func TestConcealed(t *testing.T) {
	damaged, whole := decide.Frame{Whole: true, Why: "corrupt"}, decide.Frame{Whole: true, Why: decide.WhyPolicy}
	got := concealed([]decide.Frame{damaged, {}, damaged, damaged, whole, damaged})
	if diff := cmp.Diff([][2]int{{0, 0}, {2, 3}, {5, 5}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReportNamesNobody(t *testing.T) {
	list := []decide.Finding{{ID: "F1", Kind: "unsure", Dismissed: true, By: "A. Officer", Reason: "Mr Smith agreed"}}
	got := published(list)
	if got[0].By != "" || got[0].Reason != "" || !got[0].Dismissed || list[0].By == "" {
		t.Errorf("%+v", got)
	}
}
