package evidence

import (
	"context"
	"errors"
	"slices"

	"veil/worker/seal"
)

// checkDerivative holds the derivative's bytes, and its pictures where they can be decoded, against the manifest.
func (v *verifier) checkDerivative(ctx context.Context) {
	d := v.manifest.Derivative
	same := v.digest == d.SHA256 && v.bytes == d.Bytes
	got, err := v.decode(ctx)
	switch {
	case errors.Is(err, ErrNoDecoder), errors.Is(err, ErrSlow):
		if same {
			v.result.add(CheckDerivative, Passed, "derivative_same", map[string]string{"sha256": v.digest})
		} else {
			v.result.add(CheckDerivative, Failed, "derivative_changed", nil)
		}
		code := "no_decoder"
		if errors.Is(err, ErrSlow) {
			code = "decoder_slow"
		}
		v.result.add(CheckFrames, NotDone, code, nil)
		return
	case err != nil && same:
		v.result.add(CheckDerivative, Passed, "derivative_same", map[string]string{"sha256": v.digest})
		v.result.add(CheckFrames, Failed, "frames_undecodable", nil)
		return
	case err != nil:
		v.result.add(CheckDerivative, Failed, "derivative_undecodable", nil)
		v.result.add(CheckFrames, Failed, "frames_undecodable", nil)
		return
	}
	code, args := compareFrames(d.Frames, got)
	if same {
		v.result.add(CheckDerivative, Passed, "derivative_same", map[string]string{"sha256": v.digest})
		if code != "frames_same" {
			code, args = "frames_decoder", nil // the bytes are right: what decodes them here is not
		}
		v.result.add(CheckFrames, resultOf(code), code, args)
		return
	}
	told := map[string]string{"frames_same": "derivative_rewrapped", "frames_times": "derivative_rewrapped_times"}[code]
	if told == "" {
		told = "derivative_altered"
	}
	v.result.add(CheckDerivative, Failed, told, args)
	v.result.add(CheckFrames, resultOf(code), code, args)
}

func resultOf(code string) string {
	if code == "frames_same" {
		return Passed
	}
	return Failed
}

// decode names the frames of the derivative as it is.
func (v *verifier) decode(ctx context.Context) (seal.Frames, error) {
	if v.request.Pictures == nil {
		return seal.Frames{}, ErrNoDecoder
	}
	return v.request.Pictures.Frames(ctx, v.request.Out, v.manifest.Derivative.Frames.PixelFormat)
}

// compareFrames tells the first difference between the frames that were signed and those that are there. Frames count from 0.
func compareFrames(want, got seal.Frames) (code string, args map[string]string) {
	n := min(len(want.Digests), len(got.Digests))
	for i := range n {
		if want.Digests[i] != got.Digests[i] {
			return "frames_altered", map[string]string{"frame": number(i), "frames": number(len(want.Digests))}
		}
	}
	switch {
	case want.Width != got.Width || want.Height != got.Height || want.PixelFormat != got.PixelFormat:
		return "frames_altered", map[string]string{"frame": number(0), "frames": number(len(want.Digests))}
	case len(got.Digests) < len(want.Digests):
		return "frames_missing", map[string]string{"frame": number(n), "frames": number(len(want.Digests)), "there": number(len(got.Digests))}
	case len(got.Digests) > len(want.Digests):
		return "frames_added", map[string]string{"frame": number(n), "frames": number(len(want.Digests)), "there": number(len(got.Digests))}
	}
	if i := compareTimes(want, got); i >= 0 {
		return "frames_times", map[string]string{"frame": number(i)}
	}
	return "frames_same", map[string]string{"frames": number(n)}
}

// compareTimes gives the first frame that is shown at another time, -1 where there is none. Both clocks start at their first
// frame; a container may count in another tick, and then rounds.
func compareTimes(want, got seal.Frames) int {
	wantNum, wantDen := want.Tick()
	gotNum, gotDen := got.Tick()
	if wantNum*gotDen == gotNum*wantDen {
		return slices.IndexFunc(indices(len(want.PTS)), func(i int) bool {
			return want.PTS[i]-want.PTS[0] != got.PTS[i]-got.PTS[0]
		})
	}
	tick := max(float64(wantNum)/float64(wantDen), float64(gotNum)/float64(gotDen))
	return slices.IndexFunc(indices(len(want.PTS)), func(i int) bool {
		a := float64(want.PTS[i]-want.PTS[0]) * float64(wantNum) / float64(wantDen)
		b := float64(got.PTS[i]-got.PTS[0]) * float64(gotNum) / float64(gotDen)
		return a-b > tick || b-a > tick
	})
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
