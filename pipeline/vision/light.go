package vision

import (
	"image"

	"gocv.io/x/gocv"
)

const (
	// darkMean is the mean grey level below which a picture is dark, flatSpread the standard deviation below which it is flat.
	darkMean   = 70.0
	flatSpread = 18.0
	// equaliseClip and equaliseGrid are CLAHE's limit of the local contrast and its cells on a side. On dark crowds (wild_03,
	// wild_06) it lets YuNet find half as many faces again, where a gamma curve changes next to nothing; on well-lit pictures
	// it would cost some.
	equaliseClip = 2.0
	equaliseGrid = 8
	// A picture is near-dark where nearDarkShare of it is below nearDarkLevel, and dimShare of it between that and blackLevel: black
	// alone shows nothing. No equalising brings back what the codec threw away there; nearDarkBlur, the side of a Gaussian in pixels,
	// takes out the blocks that it left.
	nearDarkShare = 0.95
	nearDarkLevel = 25
	blackLevel    = 4
	dimShare      = 0.02
	nearDarkBlur  = 7
	// lightSide is how many samples on a side tell a picture's light.
	lightSide = 96
)

// Light says whether a picture is equalised before anybody looks.
type Light int

// Ways to treat a picture's light.
const (
	LightAuto      Light = iota // equalised where it is dark or flat
	LightEqualised              // whatever its light
	LightAsItIs
)

// lightMeter brings dark and flat pictures to a normal range; it is for one goroutine. Its Mats are reused.
type lightMeter struct {
	small, mean, spread gocv.Mat
	ycc, y, even        gocv.Mat
	clahe               gocv.CLAHE
}

func newLightMeter() *lightMeter {
	return &lightMeter{small: gocv.NewMat(), mean: gocv.NewMat(), spread: gocv.NewMat(),
		ycc: gocv.NewMat(), y: gocv.NewMat(), even: gocv.NewMat(),
		clahe: gocv.NewCLAHEWithParams(equaliseClip, image.Pt(equaliseGrid, equaliseGrid))}
}

func (l *lightMeter) close() {
	for _, m := range []*gocv.Mat{&l.small, &l.mean, &l.spread, &l.ycc, &l.y, &l.even} {
		m.Close()
	}
	l.clahe.Close()
}

// normalise changes a picture in place, as want says: its luma is equalised locally with limited contrast. It says whether it
// did. The picture is bgr24.
func (l *lightMeter) normalise(picture *gocv.Mat, want Light) bool {
	if picture.Cols() < 2*equaliseGrid || picture.Rows() < 2*equaliseGrid || want == LightAsItIs || want == LightAuto && !l.poor(*picture) {
		return false
	}
	near := l.nearDark(*picture)
	gocv.CvtColor(*picture, &l.ycc, gocv.ColorBGRToYCrCb)
	gocv.ExtractChannel(l.ycc, &l.y, 0)
	if near {
		gocv.GaussianBlur(l.y, &l.y, image.Pt(nearDarkBlur, nearDarkBlur), 0, 0, gocv.BorderDefault)
	}
	l.clahe.Apply(l.y, &l.even)
	gocv.InsertChannel(l.even, &l.ycc, 0)
	gocv.CvtColor(l.ycc, picture, gocv.ColorYCrCbToBGR)
	return true
}

// poor says whether a picture is dark or flat. One without any light is left alone: there is nothing in it but noise.
func (l *lightMeter) poor(picture gocv.Mat) bool {
	l.sample(picture)
	gocv.MeanStdDev(l.y, &l.mean, &l.spread)
	if l.mean.Empty() || l.spread.Empty() {
		return false
	}
	mean, spread := l.mean.GetDoubleAt(0, 0), l.spread.GetDoubleAt(0, 0)
	return mean >= 2 && (mean < darkMean || spread < flatSpread)
}

// sample puts grey samples of the picture into l.y.
func (l *lightMeter) sample(picture gocv.Mat) {
	gocv.Resize(picture, &l.small, image.Pt(lightSide, lightSide), 0, 0, gocv.InterpolationNearestNeighbor)
	gocv.CvtColor(l.small, &l.y, gocv.ColorBGRToGray)
}

// nearDark says whether a picture shows something, but is too dark for the networks to be trusted. The picture is bgr24.
func (l *lightMeter) nearDark(picture gocv.Mat) bool {
	l.sample(picture)
	dark, dim := 0, 0
	grey := l.y.ToBytes()
	for _, v := range grey {
		if v < nearDarkLevel {
			dark++
			if v >= blackLevel {
				dim++
			}
		}
	}
	n := float64(len(grey))
	return float64(dark) >= nearDarkShare*n && float64(dim) >= dimShare*n
}
