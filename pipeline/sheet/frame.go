package sheet

import (
	"errors"
	"fmt"
	"image"

	"veil/pipeline/media"
)

// ErrFrame says that bytes are not a frame of the layout.
var ErrFrame = errors.New("not a frame of this layout")

// Colour says how a planar frame's samples mean colours. Transfer curves are left as they are: HDR looks flat.
type Colour struct {
	Full bool // full range; limited otherwise
	// Matrix is ffmpeg's name; where it is empty or unknown, BT.709 is taken from 720 rows up and BT.601 below.
	Matrix string
}

// hdRows is the height from which players take BT.709 for untagged video.
const hdRows = 720

// weights are the luma weights of red and blue (ITU-T H.273, table 4).
func (c Colour) weights(height int) (red, blue float64) {
	switch c.Matrix {
	case "bt709":
		return 0.2126, 0.0722
	case "bt470bg", "smpte170m":
		return 0.299, 0.114
	case "fcc":
		return 0.30, 0.11
	case "smpte240m":
		return 0.212, 0.087
	case "bt2020nc", "bt2020c", "bt2020_ncl", "bt2020_cl":
		return 0.2627, 0.0593
	}
	if height >= hdRows {
		return 0.2126, 0.0722
	}
	return 0.299, 0.114
}

// mixer turns one sample triple into 8-bit red, green, blue; 16 fraction bits.
type mixer struct {
	gbr               bool // the planes are green, blue, red
	black, grey       int
	luma              int
	red, greenU, blue int
	greenV            int
}

func newMixer(c Colour, l media.Layout) mixer {
	depth := l.Depth()
	m := mixer{gbr: c.Matrix == "gbr", grey: 1 << (depth - 1)}
	lumaSpan, chromaSpan := float64(int(1)<<depth-1), float64(int(1)<<depth-1)
	if !c.Full {
		m.black = 16 << (depth - 8)
		lumaSpan, chromaSpan = float64(int(219)<<(depth-8)), float64(int(224)<<(depth-8))
	}
	kr, kb := c.weights(l.Height)
	kg := 1 - kr - kb
	chroma := 255 * 65536 / chromaSpan
	m.luma = int(255*65536/lumaSpan + 0.5)
	m.red = int(2*(1-kr)*chroma + 0.5)
	m.blue = int(2*(1-kb)*chroma + 0.5)
	m.greenU = int(2*(1-kb)*kb/kg*chroma + 0.5)
	m.greenV = int(2*(1-kr)*kr/kg*chroma + 0.5)
	return m
}

func (m mixer) rgb(y, u, v int) (r, g, b uint8) {
	if m.gbr {
		return byteOf((v - m.black) * m.luma), byteOf((y - m.black) * m.luma), byteOf((u - m.black) * m.luma)
	}
	y, u, v = (y-m.black)*m.luma, u-m.grey, v-m.grey
	return byteOf(y + m.red*v), byteOf(y - m.greenU*u - m.greenV*v), byteOf(y + m.blue*u)
}

func byteOf(v int) uint8 { return uint8(min(max((v+1<<15)>>16, 0), 255)) }

// FromYUV turns a planar frame into a picture of its own, whose sides are the frame's by shrink (rounded down, at least 1): each
// pixel is the mean of the samples that it stands for. What is left over on the right and below is not shown.
func FromYUV(l media.Layout, frame []byte, c Colour, shrink int) (*image.RGBA, error) {
	planes := l.Planes()
	if len(planes) != 3 {
		return nil, fmt.Errorf("format %q: %w", l.Format, ErrFrame)
	}
	if l.Width < 1 || l.Height < 1 || len(frame) != l.Size() {
		return nil, fmt.Errorf("%d bytes for %dx%d: %w", len(frame), l.Width, l.Height, ErrFrame)
	}
	shrink = min(max(shrink, 1), l.Width, l.Height)
	m := newMixer(c, l)
	means := make([]meaner, len(planes))
	for i, p := range planes {
		means[i] = meaner{plane: p, bytes: (l.Depth() + 7) / 8, shrink: shrink, frame: frame}
	}
	out := image.NewRGBA(image.Rect(0, 0, l.Width/shrink, l.Height/shrink))
	for y := range out.Rect.Dy() {
		line := out.Pix[y*out.Stride:]
		for x := range out.Rect.Dx() {
			r, g, b := m.rgb(means[0].at(x, y), means[1].at(x, y), means[2].at(x, y))
			line[4*x], line[4*x+1], line[4*x+2], line[4*x+3] = r, g, b, 0xff
		}
	}
	return out, nil
}

// meaner reads a plane in squares of shrink pixels of the frame, from the top left.
type meaner struct {
	plane  media.Plane
	bytes  int // of a sample
	shrink int
	frame  []byte
}

// at is the mean sample of one square.
func (m *meaner) at(x, y int) int {
	left, top := x*m.shrink>>m.plane.ShiftX, y*m.shrink>>m.plane.ShiftY
	right, bottom := max((x+1)*m.shrink>>m.plane.ShiftX, left+1), max((y+1)*m.shrink>>m.plane.ShiftY, top+1)
	sum := 0
	for r := top; r < bottom; r++ {
		row := m.frame[m.plane.Offset+r*m.plane.Stride:]
		if m.bytes == 1 {
			for _, v := range row[left:right] {
				sum += int(v)
			}
			continue
		}
		for c := left; c < right; c++ {
			sum += int(row[2*c]) | int(row[2*c+1])<<8
		}
	}
	n := (right - left) * (bottom - top)
	return (sum + n/2) / n
}

// FromBGR turns a bgr24 frame into a picture of its own.
func FromBGR(l media.Layout, frame []byte) (*image.RGBA, error) {
	if l.Format != media.BGR24 || l.Width < 1 || l.Height < 1 || len(frame) != l.Size() {
		return nil, fmt.Errorf("%d bytes for %dx%d %q: %w", len(frame), l.Width, l.Height, l.Format, ErrFrame)
	}
	out := image.NewRGBA(image.Rect(0, 0, l.Width, l.Height))
	for i := 0; i < len(frame)/3; i++ {
		b, g, r := frame[3*i], frame[3*i+1], frame[3*i+2]
		copy(out.Pix[4*i:4*i+4], []byte{r, g, b, 0xff})
	}
	return out, nil
}
