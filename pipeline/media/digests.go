package media

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"
)

// digestFD is the descriptor on which a decoding child tells the digests: the first after the clip's.
const digestFD = 4

// digests reads ffmpeg's framecrc: a line for each frame, "stream, dts, pts, duration, bytes, 0xADLER32", after lines of
// header that begin with #. The sum runs over the planes as they left the decoder, packed, and starts at 0.
type digests struct {
	file  *os.File
	lines *bufio.Scanner
}

func newDigests(f *os.File) *digests {
	return &digests{file: f, lines: bufio.NewScanner(f)}
}

// digestWait is far longer than a decoder takes from a picture's digest to the picture: one that hangs ends here.
const digestWait = 5 * time.Minute

// next gives the digest of the next frame, eight lower-case hex digits.
func (d *digests) next() (string, error) {
	_ = d.file.SetReadDeadline(time.Now().Add(digestWait))
	for d.lines.Scan() {
		line := d.lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) < 6 {
			return "", fmt.Errorf("%w: a digest is malformed", ErrDamaged)
		}
		sum, ok := strings.CutPrefix(strings.TrimSpace(fields[5]), "0x")
		if !ok || len(sum) != 8 {
			return "", fmt.Errorf("%w: a digest is malformed", ErrDamaged)
		}
		return strings.ToLower(sum), nil
	}
	return "", fmt.Errorf("%w: the decoder ended before it told a picture's digest", ErrDamaged)
}

func (d *digests) close() { d.file.Close() }
