package vision

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// still is the motion that is not known.
var still = track.Motion{A: [6]float64{1, 0, 0, 0, 1, 0}}

const (
	// motionLong is the long side of the grey picture that motion is measured in, pixels.
	motionLong = 384
	// maxCorners and minCornerGap (pixels) say how many points are followed.
	maxCorners   = 200
	minCornerGap = 8
	// flowWindow, flowLevels, flowSteps and flowEpsilon say how a point is followed (Lucas and Kanade): by a window of that many pixels
	// on a side, on as many halved pictures besides the whole one, until a step is as small or that many were made. Where that does not
	// lead to a motion, as in jerks, OpenCV's own window of 21 pixels does: it takes three times as long.
	flowWindow  = 11
	flowLevels  = 3
	flowSteps   = 10
	flowEpsilon = 0.03
	// inlierPixels is how far a followed point may lie from where the motion puts it.
	inlierPixels = 1.5
	// leastTexture is how much a window must show to be followed, as OpenCV counts it (minEigThreshold).
	leastTexture = 1e-4
	// minInliers and minInlierShare say when a motion is believed.
	minInliers     = 12
	minInlierShare = 0.4
	// maxZoom bounds how much a camera zooms between two frames.
	maxZoom = 1.35
)

// flowEnd says when a point is found. It is made once: gocv never frees one.
var flowEnd = gocv.NewTermCriteria(gocv.Count|gocv.EPS, flowSteps, flowEpsilon)

// smallPicture is a frame in grey, small, in Go's memory: it is read by two workers and freed by nobody.
type smallPicture struct {
	size   image.Point
	pixels []byte
	// scene is the last picture before this one that shows anything, where this one is flat (black, or a flash).
	scene *smallPicture
}

// motionMeter measures the camera's motion between two frames; it is for one goroutine. Its Mats are reused.
type motionMeter struct {
	size         image.Point // of the small pictures
	sx, sy       float64     // from small to source pixels
	halves       [2]gocv.Mat
	small        gocv.Mat
	before, now  gocv.Mat // grey
	corners, to  gocv.Mat
	status, errs gocv.Mat
}

func newMotionMeter(o SweepOptions) *motionMeter {
	scale := min(float64(motionLong)/float64(max(o.Width, o.Height)), 1)
	m := &motionMeter{size: image.Pt(max(int(float64(o.Width)*scale+0.5), 1), max(int(float64(o.Height)*scale+0.5), 1)),
		halves: [2]gocv.Mat{gocv.NewMat(), gocv.NewMat()}, small: gocv.NewMat(), corners: gocv.NewMat(), to: gocv.NewMat(), status: gocv.NewMat(), errs: gocv.NewMat()}
	m.sx, m.sy = float64(o.SourceWidth)/float64(m.size.X), float64(o.SourceHeight)/float64(m.size.Y)
	m.before = gocv.NewMatWithSize(m.size.Y, m.size.X, gocv.MatTypeCV8UC1)
	m.now = gocv.NewMatWithSize(m.size.Y, m.size.X, gocv.MatTypeCV8UC1)
	return m
}

func (m *motionMeter) close() {
	for _, mat := range []*gocv.Mat{&m.halves[0], &m.halves[1], &m.small, &m.before, &m.now, &m.corners, &m.to, &m.status, &m.errs} {
		mat.Close()
	}
}

// shrink makes the small grey picture of a frame.
func (m *motionMeter) shrink(picture gocv.Mat) smallPicture {
	gocv.Resize(halve(picture, m.halves[:], m.size), &m.small, m.size, 0, 0, gocv.InterpolationArea)
	gocv.CvtColor(m.small, &m.now, gocv.ColorBGRToGray)
	return smallPicture{size: m.size, pixels: m.now.ToBytes()}
}

// measure compares two frames that follow each other.
func (m *motionMeter) measure(before, now smallPicture) track.Motion {
	motion := still
	a, share := m.follow(before, now)
	if share >= minInlierShare {
		motion.Known = true
		motion.A = [6]float64{a[0], a[1] * m.sx / m.sy, a[2] * m.sx, a[3] * m.sy / m.sx, a[4], a[5] * m.sy}
		return motion
	}
	if before.scene != nil {
		before = *before.scene
	}
	motion.Cut = isCut(before, now)
	return motion
}

// follow finds corners of the frame before in this one and fits the motion that most of them share: rotation, zoom and
// shift. It gives the motion in small pixels and the share of the corners that agree with it, 0 where there are too few.
func (m *motionMeter) follow(before, now smallPicture) (a [6]float64, share float64) {
	if !m.put(&m.before, before) || !m.put(&m.now, now) || m.size.X < 32 || m.size.Y < 32 {
		return a, 0
	}
	gocv.GoodFeaturesToTrack(m.before, &m.corners, maxCorners, 0.01, minCornerGap)
	n := m.corners.Rows()
	if m.corners.Empty() || n < minInliers || m.corners.Type() != gocv.MatTypeCV32FC2 {
		return a, 0
	}
	gocv.CalcOpticalFlowPyrLKWithParams(m.before, m.now, m.corners, m.to, &m.status, &m.errs, image.Pt(flowWindow, flowWindow), flowLevels,
		flowEnd, 0, leastTexture)
	if a, share = m.agreed(n); share >= minInlierShare {
		return a, share
	}
	gocv.CalcOpticalFlowPyrLK(m.before, m.now, m.corners, m.to, &m.status, &m.errs)
	return m.agreed(n)
}

// agreed fits the motion to where the n corners went.
func (m *motionMeter) agreed(n int) (a [6]float64, share float64) {
	from, err1 := m.corners.DataPtrFloat32()
	to, err2 := m.to.DataPtrFloat32()
	ok, err3 := m.status.DataPtrUint8()
	if err1 != nil || err2 != nil || err3 != nil || len(from) != 2*n || len(to) != 2*n || len(ok) != n {
		return a, 0
	}
	var p, q []gocv.Point2f
	for i := range n {
		x, y := to[2*i], to[2*i+1]
		if ok[i] == 1 && x >= 0 && y >= 0 && x < float32(m.size.X) && y < float32(m.size.Y) {
			p = append(p, gocv.Point2f{X: from[2*i], Y: from[2*i+1]})
			q = append(q, gocv.Point2f{X: x, Y: y})
		}
	}
	if len(p) < minInliers {
		return a, 0
	}
	a, fits := fitMotion(p, q)
	if !fits {
		return a, 0
	}
	inliers := 0
	for i := range p {
		if residual(a, p[i], q[i]) <= inlierPixels {
			inliers++
		}
	}
	if inliers < minInliers {
		return a, 0
	}
	return a, float64(inliers) / float64(n)
}

// put copies a small picture into a Mat of its size.
func (m *motionMeter) put(mat *gocv.Mat, p smallPicture) bool {
	data, err := mat.DataPtrUint8()
	return err == nil && p.size == m.size && copy(data, p.pixels) == len(data)
}

// fitMotion fits rotation, zoom and shift by RANSAC; false where there is no sane one.
func fitMotion(p, q []gocv.Point2f) (a [6]float64, ok bool) {
	from, to := gocv.NewPoint2fVectorFromPoints(p), gocv.NewPoint2fVectorFromPoints(q)
	defer from.Close()
	defer to.Close()
	mat := gocv.EstimateAffinePartial2D(from, to)
	defer mat.Close()
	if mat.Empty() || mat.Rows() != 2 || mat.Cols() != 3 || mat.Type() != gocv.MatTypeCV64F {
		return a, false
	}
	for i := range a {
		a[i] = mat.GetDoubleAt(i/3, i%3)
		if math.IsNaN(a[i]) || math.IsInf(a[i], 0) {
			return a, false
		}
	}
	zoom := math.Hypot(a[0], a[3])
	return a, zoom < maxZoom && zoom > 1/maxZoom
}

// residual is the distance between where the motion puts p and where it was found.
func residual(a [6]float64, p, q gocv.Point2f) float64 {
	x, y := float64(p.X), float64(p.Y)
	return math.Hypot(a[0]*x+a[1]*y+a[2]-float64(q.X), a[3]*x+a[4]*y+a[5]-float64(q.Y))
}
