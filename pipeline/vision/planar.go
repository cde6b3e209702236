package vision

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"gocv.io/x/gocv"

	"veil/pipeline/media"
)

// ErrColours is what NewPlanar says of frames that it makes no pictures of: packed ones, too large ones, and samples that are no Y, Cb,
// Cr by weights that it knows, high dynamic range among them.
var ErrColours = errors.New("colours of another kind")

// lumaWeights are those of red and blue by ffmpeg's name of the colour space; an unknown one is taken for the old television's, as
// ffmpeg does.
var lumaWeights = map[string][2]float64{"bt709": {0.2126, 0.0722}, "bt2020nc": {0.2627, 0.0593}, "bt470bg": {0.299, 0.114},
	"smpte170m": {0.299, 0.114}, "smpte240m": {0.212, 0.087}, "": {0.299, 0.114}}

// Planar makes pictures of decoded frames of planar samples, for whoever has decoded a clip for something else as well. It is for one
// goroutine; Close frees it.
type Planar struct {
	layout media.Layout
	planes []gocv.Mat // 8 bit
	scaled []gocv.Mat
	merged gocv.Mat
	matrix gocv.Mat // from Y, Cb, Cr, 1 to blue, green, red
}

// NewPlanar makes one for the frames of a stream in a layout: an ErrColours where it cannot.
func NewPlanar(v *media.VideoStream, l media.Layout) (*Planar, error) {
	weights, ok := lumaWeights[v.Space]
	if !ok || v.HDR || l.Format == media.BGR24 || l.Width < 1 || l.Height < 1 || max(l.Width, l.Height) > maxSide {
		return nil, fmt.Errorf("%w: %s, %s", ErrColours, l.Format, v.Space)
	}
	p := &Planar{layout: l, merged: gocv.NewMat(), matrix: gocv.NewMatWithSize(3, 4, gocv.MatTypeCV32F)}
	for _, plane := range l.Planes() {
		p.planes = append(p.planes, gocv.NewMatWithSize(plane.Height, plane.Width, gocv.MatTypeCV8U))
		p.scaled = append(p.scaled, gocv.NewMat())
	}
	least, luma, chroma := 16.0, 255/219.0, 255/224.0
	if v.FullRange() {
		least, luma, chroma = 0, 1, 1
	}
	red, blue := weights[0], weights[1]
	green := 1 - red - blue
	for row, share := range [][2]float64{{2 * (1 - blue), 0}, {-2 * blue * (1 - blue) / green, -2 * red * (1 - red) / green}, {0, 2 * (1 - red)}} {
		cb, cr := chroma*share[0], chroma*share[1]
		for column, v := range []float64{luma, cb, cr, -luma*least - 128*(cb+cr)} {
			p.matrix.SetFloatAt(row, column, float32(v))
		}
	}
	return p, nil
}

// Fill makes a picture of a sweep of a frame, scaled to the picture's size.
func (p *Planar) Fill(picture *Picture, frame []byte) error {
	if len(frame) != p.layout.Size() {
		return fmt.Errorf("make a picture: frame of %d bytes, not %d", len(frame), p.layout.Size())
	}
	size := image.Pt(picture.mat.Cols(), picture.mat.Rows())
	ready := slices.Clone(p.planes)
	for i, plane := range p.layout.Planes() {
		samples, err := p.planes[i].DataPtrUint8()
		if err != nil {
			return fmt.Errorf("make a picture: %w", err)
		}
		narrow(samples, frame[plane.Offset:plane.Offset+plane.Stride*plane.Height])
		if plane.Width == size.X && plane.Height == size.Y {
			continue
		}
		how := gocv.InterpolationLinear
		if plane.Width > size.X {
			how = gocv.InterpolationArea
		}
		gocv.Resize(p.planes[i], &p.scaled[i], size, 0, 0, how)
		ready[i] = p.scaled[i]
	}
	gocv.Merge(ready, &p.merged)
	gocv.Transform(p.merged, &picture.mat, p.matrix)
	return nil
}

// narrow copies samples of 8 bit, or of 10 bit in two bytes, as 8 bit.
func narrow(to, from []byte) {
	if len(from) == len(to) {
		copy(to, from)
		return
	}
	for i := range to {
		to[i] = byte(min((int(from[2*i])+int(from[2*i+1])<<8+2)>>2, 255))
	}
}

// Close frees what it holds.
func (p *Planar) Close() error {
	err := errors.Join(p.merged.Close(), p.matrix.Close())
	for i := range p.planes {
		err = errors.Join(err, p.planes[i].Close(), p.scaled[i].Close())
	}
	return err
}
