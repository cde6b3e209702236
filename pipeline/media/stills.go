package media

import "bytes"

// stillMagic are the first bytes of picture formats.
var stillMagic = [][]byte{
	{0xFF, 0xD8, 0xFF}, []byte("\x89PNG\r\n\x1a\n"), []byte("GIF8"), []byte("BM"), []byte("II*\x00"), []byte("MM\x00*"),
	[]byte("8BPS"), []byte("\x00\x00\x00\x0cJXL "), []byte("\xff\x0a"), []byte("\x00\x00\x00\x0cjP  "),
	[]byte("\x76\x2f\x31\x01"), []byte("<svg"),
}

// stillBrands are major brands of picture files in ISO boxes.
var stillBrands = []string{"heic", "heix", "heim", "heis", "mif1", "mif2", "avif", "jpeg", "miaf"}

// isStill tells whether a file that starts with head is a picture. A picture in ISO boxes may have a video beside it; it
// is the caller who looks at what else is there.
func isStill(head []byte) (still, boxes bool) {
	for _, m := range stillMagic {
		if bytes.HasPrefix(head, m) {
			return true, false
		}
	}
	if len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP" {
		return true, false
	}
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		for _, b := range stillBrands {
			if string(head[8:12]) == b {
				return true, true
			}
		}
	}
	return false, false
}
