package vision

import (
	"math"

	"gocv.io/x/gocv"
)

const (
	// darkMean is the mean grey level below which a picture is brightened, and what it is brightened to.
	darkMean = 70.0
	// maxGamma bounds the brightening: noise is brightened with it.
	maxGamma = 3.0
)

// lightMeter brings dark pictures to a normal range; it is for one goroutine.
type lightMeter struct {
	small gocv.Mat
	table gocv.Mat
}

func newLightMeter() *lightMeter {
	return &lightMeter{small: gocv.NewMat(), table: gocv.NewMatWithSize(1, 256, gocv.MatTypeCV8UC1)}
}

func (l *lightMeter) close() {
	l.small.Close()
	l.table.Close()
}

// normalise brightens a dark picture in place, by the power of its levels that brings its mean to darkMean.
func (l *lightMeter) normalise(picture *gocv.Mat) {
	mean := picture.Mean()
	grey := 0.114*mean.Val1 + 0.587*mean.Val2 + 0.299*mean.Val3
	if grey >= darkMean || grey < 1 {
		return
	}
	gamma := min(math.Log(grey/255)/math.Log(darkMean/255), maxGamma)
	table, err := l.table.DataPtrUint8()
	if err != nil {
		return
	}
	for i := range table {
		table[i] = byte(255*math.Pow(float64(i)/255, 1/gamma) + 0.5)
	}
	gocv.LUT(*picture, l.table, picture)
}
