package vision

import (
	"errors"
	"fmt"
	"image"

	"gocv.io/x/gocv"

	"veil/models"
	"veil/pipeline/track"
)

// Names of the networks, as detections carry them.
const (
	YuNet      = "yunet"
	CenterFace = "centerface"
)

// detector finds faces in a picture. It is for one goroutine at a time.
type detector interface {
	// detect shows the picture (bgr24) to the network at the given size and gives what scores at least threshold, boxes in
	// pixels of the picture as given, overlaps suppressed. It never changes the picture.
	detect(picture gocv.Mat, size image.Point, threshold float64) ([]found, error)
	close() error
}

// found is one face in one picture.
type found struct {
	box   track.Box
	score float64
	long  int  // long side of the picture that the network was shown
	turn  int  // quarters clockwise by which that picture was turned
	cut   bool // at the inner border of a tile: perhaps only a part of the face
}

// network is what is particular to one of the two.
type network struct {
	name string
	file string // in package models
	// swap is true where the network wants RGB, not BGR. Both take 0 to 255 without a mean.
	swap    bool
	input   string
	outputs []string
	shapes  func(h, w int) [][]int
	// decode reads the outputs for an input of h rows and w columns.
	decode func(outputs [][]float32, h, w int, threshold float64) []found
	// maxIoU is the overlap above which the weaker of two boxes goes.
	maxIoU float64
}

// networks are the two, by name.
var networks = map[string]network{
	YuNet: {
		name: YuNet, file: models.YuNet, input: "input",
		outputs: []string{"cls_8", "cls_16", "cls_32", "obj_8", "obj_16", "obj_32", "bbox_8", "bbox_16", "bbox_32"},
		shapes:  yunetShapes, decode: decodeYuNet, maxIoU: 0.35,
	},
	CenterFace: {
		name: CenterFace, file: models.CenterFace, swap: true, input: "input.1",
		outputs: []string{"537", "538", "539"},
		shapes:  centerfaceShapes, decode: decodeCenterFace, maxIoU: 0.35,
	},
}

// netDetector is a network with an engine's session: the one implementation of detector, four times over.
type netDetector struct {
	net     network
	raw     bool // overlapping boxes are told too
	session session
	blobs   map[image.Point]*blob // by size before padding, which must stay black
	halves  [3]gocv.Mat
	scaled  gocv.Mat
}

// newDetector opens a session of the network.
func newDetector(e engine, net network, onnx []byte) (*netDetector, error) {
	s, err := e.load(graph{name: net.name, onnx: onnx, input: net.input, outputs: net.outputs, shapes: net.shapes})
	if err != nil {
		return nil, err
	}
	d := &netDetector{net: net, session: s, blobs: map[image.Point]*blob{}, scaled: gocv.NewMat()}
	for i := range d.halves {
		d.halves[i] = gocv.NewMat()
	}
	return d, nil
}

func (d *netDetector) close() error {
	for _, b := range d.blobs {
		b.close()
	}
	d.blobs = nil
	err := errors.Join(d.session.close(), d.scaled.Close())
	for i := range d.halves {
		err = errors.Join(err, d.halves[i].Close())
	}
	return err
}

func (d *netDetector) detect(picture gocv.Mat, size image.Point, threshold float64) ([]found, error) {
	if picture.Empty() || picture.Type() != gocv.MatTypeCV8UC3 {
		return nil, fmt.Errorf("%s: picture is empty or not bgr24", d.net.name)
	}
	if size.X < 1 || size.Y < 1 || size.X > maxSide || size.Y > maxSide {
		return nil, fmt.Errorf("%s: cannot look at %dx%d pixels", d.net.name, size.X, size.Y)
	}
	src := d.scale(picture, size)
	var faces []found
	for _, tile := range tiles(size) {
		in, err := d.detectTile(src, tile, threshold)
		if err != nil {
			return nil, err
		}
		faces = append(faces, in...)
	}
	if !d.raw {
		faces = suppress(faces, d.net.maxIoU)
	}
	sx, sy := float64(picture.Cols())/float64(size.X), float64(picture.Rows())/float64(size.Y)
	for i := range faces {
		f := &faces[i].box
		f.X, f.W, f.Y, f.H = f.X*sx, f.W*sx, f.Y*sy, f.H*sy
	}
	return faces, nil
}

// halve shrinks a picture by halves while it stays as large as size, and gives the last of halves that it has used, or the picture.
// OpenCV does that ten times faster than any other scaling by area.
func halve(picture gocv.Mat, halves []gocv.Mat, size image.Point) gocv.Mat {
	for i := range halves {
		half := image.Pt(picture.Cols()/2, picture.Rows()/2)
		if half.X < size.X || half.Y < size.Y {
			break
		}
		gocv.Resize(picture, &halves[i], half, 0, 0, gocv.InterpolationArea)
		picture = halves[i]
	}
	return picture
}

// scale gives the picture at a size: itself, or one of the detector's own Mats. It halves while it can and only then interpolates.
func (d *netDetector) scale(picture gocv.Mat, size image.Point) gocv.Mat {
	src := halve(picture, d.halves[:], size)
	if size.X == src.Cols() && size.Y == src.Rows() {
		return src
	}
	gocv.Resize(src, &d.scaled, size, 0, 0, gocv.InterpolationLinear)
	return d.scaled
}

// detectTile shows one tile of the picture to the network. Boxes are in the picture's pixels.
func (d *netDetector) detectTile(src gocv.Mat, tile image.Rectangle, threshold float64) ([]found, error) {
	b, err := d.fill(src, tile)
	if err != nil {
		return nil, err
	}
	var faces []found
	err = d.session.forward(b, func(outputs [][]float32) error {
		faces = d.net.decode(outputs, b.h, b.w, threshold)
		return nil
	})
	if err != nil {
		return nil, err
	}
	whole := image.Rect(0, 0, src.Cols(), src.Rows())
	for i := range faces {
		f := &faces[i]
		f.box.X += float64(tile.Min.X)
		f.box.Y += float64(tile.Min.Y)
		f.cut = cutByTile(f.box, tile, whole)
	}
	return faces, nil
}

// maxSide bounds a network's input, pixels.
const maxSide = 8192

// fill puts a tile of the picture into the blob of its padded size; the padding below and to the right stays black.
func (d *netDetector) fill(src gocv.Mat, tile image.Rectangle) (*blob, error) {
	size := tile.Size()
	padded := image.Pt((size.X+padTo-1)/padTo*padTo, (size.Y+padTo-1)/padTo*padTo)
	b := d.blobs[size]
	if b == nil {
		var err error
		if b, err = newBlob(padded.Y, padded.X); err != nil {
			return nil, err
		}
		d.blobs[size] = b
	}
	if err := planes(src, tile, b, d.net.swap); err != nil {
		return nil, fmt.Errorf("%s: %w", d.net.name, err)
	}
	return b, nil
}
