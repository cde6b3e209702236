package vision

/*
#include <stddef.h>
void veil_planes(const unsigned char *picture, size_t step, int width, int height, float *first, float *second, float *third, size_t out);
*/
import "C"

import (
	"fmt"
	"image"

	"gocv.io/x/gocv"
)

// planes takes a tile of a picture (bgr24) apart into the upper left of a blob's planes: blue, green, red, or the other way round
// where swap is set. gocv's way makes three passes over it and takes nearly three times as long.
func planes(picture gocv.Mat, tile image.Rectangle, b *blob, swap bool) error {
	pixels, err := picture.DataPtrUint8()
	if err != nil {
		return err
	}
	cols, rows := picture.Cols(), picture.Rows()
	if len(pixels) != 3*cols*rows || tile.Empty() || !tile.In(image.Rect(0, 0, cols, rows)) || tile.Dx() > b.w || tile.Dy() > b.h {
		return fmt.Errorf("tile %v of a picture of %dx%d into a blob of %dx%d", tile, cols, rows, b.w, b.h)
	}
	plane := b.h * b.w
	first, third := 0, 2*plane
	if swap {
		first, third = third, first
	}
	at := 3 * (tile.Min.Y*cols + tile.Min.X)
	C.veil_planes((*C.uchar)(&pixels[at]), C.size_t(3*cols), C.int(tile.Dx()), C.int(tile.Dy()),
		(*C.float)(&b.data[first]), (*C.float)(&b.data[plane]), (*C.float)(&b.data[third]), C.size_t(b.w))
	return nil
}
