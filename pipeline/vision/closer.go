package vision

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// A large face is seen in few looks whose scale suits it, and a patch of cloth that looks like one in the same few covers much. Shown
// by itself at one good size, a face is hard to miss.
const (
	// closerFrom is the side of the faces that are looked at closer, pixels of a picture whose long side is closerLong.
	closerFrom = 40.0
	closerLong = 1536.0
	// closerFace is the side that the face is brought to, closerSide that of the picture around it, pixels.
	closerFace = 48.0
	closerSide = 96
	// closerMost bounds how many faces of a frame are looked at closer, the largest first.
	closerMost = 8
	// clearSecond is the score from which the network has seen a face clearly: it needs no closer look.
	clearSecond = 0.6
	// A box counts as the face from closerLeast on, or closerTurned where the picture was turned, if it fits by closerIoU.
	closerLeast  = 0.05
	closerTurned = 0.35
	closerIoU    = 0.35
)

// closeUp is a face cut out of a picture; it is for one goroutine. Its Mats are reused.
type closeUp struct {
	cell, turned gocv.Mat
	face         track.Box // in the cell
}

func newCloseUp() *closeUp {
	return &closeUp{cell: gocv.NewMatWithSize(closerSide, closerSide, gocv.MatTypeCV8UC3), turned: gocv.NewMat()}
}

func (c *closeUp) close() {
	c.cell.Close()
	c.turned.Close()
}

// cut puts the face into the middle of the cell, with what is around it, black beyond the picture's edge. False where nothing of that
// lies in the picture.
func (c *closeUp) cut(picture gocv.Mat, face track.Box) bool {
	side := max(math.Round(closerSide/closerFace*math.Sqrt(face.W*face.H)), 1)
	scale := closerSide / side
	left, top := math.Round(face.X+(face.W-side)/2), math.Round(face.Y+(face.H-side)/2)
	if !(math.Abs(left) < maxSide && math.Abs(top) < maxSide && side < maxSide) {
		return false
	}
	around := image.Rect(int(left), int(top), int(left+side), int(top+side))
	from := around.Intersect(image.Rect(0, 0, picture.Cols(), picture.Rows()))
	in := func(v, origin int) int { return int(math.Round(float64(v-origin) * scale)) }
	to := image.Rect(in(from.Min.X, around.Min.X), in(from.Min.Y, around.Min.Y), in(from.Max.X, around.Min.X), in(from.Max.Y, around.Min.Y))
	if from.Empty() || to.Empty() {
		return false
	}
	c.cell.SetTo(gocv.NewScalar(0, 0, 0, 0))
	source, target := picture.Region(from), c.cell.Region(to)
	defer source.Close()
	defer target.Close()
	how := gocv.InterpolationLinear
	if scale < 1 {
		how = gocv.InterpolationArea
	}
	gocv.Resize(source, &target, to.Size(), 0, 0, how)
	c.face = track.Box{X: (face.X - left) * scale, Y: (face.Y - top) * scale, W: face.W * scale, H: face.H * scale}
	return true
}

// score shows the cell to the network upright and turned, until that is enough, and gives the highest score of the face.
func (c *closeUp) score(d *netDetector) (float64, error) {
	best, least := 0.0, closerLeast
	for turn := 0; turn <= len(turns) && best < track.EnoughLook; turn++ {
		shown := c.cell
		if turn > 0 {
			gocv.Rotate(c.cell, &c.turned, turns[turn-1].how)
			shown, least = c.turned, closerTurned
		}
		faces, err := d.detect(shown, image.Pt(closerSide, closerSide), least)
		if err != nil {
			return 0, err
		}
		for _, f := range faces {
			if turn > 0 {
				f.box = turns[turn-1].back(f.box, closerSide, closerSide)
			}
			if iou(f.box, c.face) >= closerIoU {
				best = max(best, f.score)
			}
		}
	}
	return best, nil
}

// lookCloser shows the largest doubtful faces of a picture to the network once more. Boxes are in the picture's pixels.
func (p *lookPass) lookCloser(ctx context.Context, c *closeUp, picture gocv.Mat, faces []track.Face) ([]track.Look, error) {
	least := closerFrom * float64(max(picture.Cols(), picture.Rows())) / closerLong
	faces = slices.DeleteFunc(faces, func(f track.Face) bool { return f.Box.W*f.Box.H < least*least })
	if len(faces) == 0 {
		return nil, nil
	}
	d, err := p.borrow(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.detectors <- d }()
	slices.SortStableFunc(faces, func(a, b track.Face) int { return cmp.Compare(b.Box.W*b.Box.H, a.Box.W*a.Box.H) })
	var looks []track.Look
	left := closerMost
	for _, f := range faces {
		switch {
		case f.Second >= clearSecond:
			looks = append(looks, track.Look{Box: f.Box, Score: f.Second})
		case left > 0 && c.cut(picture, f.Box):
			left--
			score, err := c.score(d)
			if err != nil {
				return nil, fmt.Errorf("face at %v: %w", f.Box, err)
			}
			looks = append(looks, track.Look{Box: f.Box, Score: score})
		}
	}
	return looks, nil
}
