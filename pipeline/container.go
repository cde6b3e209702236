package pipeline

import (
	"context"
	"fmt"
	"io"
	"os"

	"veil/pipeline/media/mp4"
)

// checkContainer walks every byte of the finished file: boxes, tables, NAL units, sound frames. What is not on the allow-list
// (docs/container.md) fails.
func (v *verifier) checkContainer(ctx context.Context) error {
	f, err := os.Open(v.request.Out)
	if err != nil {
		return fmt.Errorf("%w: derivative: %w", ErrVerify, plainPath(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: derivative: %w", ErrVerify, plainPath(err))
	}
	sound := v.plan.Policy.Audio == "keep" && len(v.source.Audio) > 0
	a, err := mp4.Walk(cancellable{ctx: ctx, r: f}, info.Size(), mp4.Policy{Sound: sound})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("%w: derivative: %w", ErrVerify, err)
	}
	var faults []string
	for _, x := range a.Findings {
		faults = append(faults, x.String())
	}
	if n := len(v.plan.Frames); a.Clean() && a.Frames != int64(n) {
		faults = append(faults, fmt.Sprintf("%d frames in the container, the plan has %d", a.Frames, n))
	}
	v.result.Container = a.Counts
	v.note(checkContainer, fmt.Sprintf("%d boxes, %d NAL units, %d sound frames, %d bytes: all on the allow-list",
		a.Boxes, a.NALUnits, a.SoundFrames, info.Size()), faults)
	return nil
}

// cancellable is a file that cannot be read any more once the context has ended.
type cancellable struct {
	ctx context.Context
	r   io.ReaderAt
}

func (c cancellable) ReadAt(p []byte, at int64) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.ReadAt(p, at)
}
