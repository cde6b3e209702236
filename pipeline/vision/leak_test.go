//go:build matprofile

package vision

import (
	"bytes"
	"testing"

	"gocv.io/x/gocv"
)

// TestNoMatLeaks runs sweeps to their end and into a cancellation, with both engines, and counts what OpenCV memory is left.
func TestNoMatLeaks(t *testing.T) {
	for _, engine := range []string{EngineOpenCV, EngineORT} {
		t.Run(engine, func(t *testing.T) {
			before := gocv.MatProfile.Count()
			f, err := Open(t.Context(), Options{Models: weights(t), Engine: engine, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			o := SweepOptions{Width: 480, Height: 270, SourceWidth: 480, SourceHeight: 270}
			for _, stopAt := range []int{-1, 3} {
				s, err := f.Sweep(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				fed := make(chan error, 1)
				go func() { fed <- feed(t.Context(), s, o, 12, 5) }()
				for r := range s.Results() {
					if r.Err != nil {
						t.Error(r.Err)
					}
					if r.Index == stopAt {
						break
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if err := <-fed; err != nil && stopAt < 0 {
					t.Error(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if n := gocv.MatProfile.Count() - before; n != 0 {
				var where bytes.Buffer
				gocv.MatProfile.WriteTo(&where, 1)
				t.Errorf("%d Mats are left:\n%s", n, where.String())
			}
		})
	}
}
