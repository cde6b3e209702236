package media

import (
	"bufio"
	"errors"
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
	wait  time.Duration // for one digest
}

func newDigests(f *os.File) *digests {
	return &digests{file: f, lines: bufio.NewScanner(f), wait: digestWait}
}

// digestWait is far longer than a decoder takes between a picture and its digest: one that hangs ends here.
const digestWait = 5 * time.Minute

// next gives the digest of the next frame, eight lower-case hex digits. ErrStalled says that none came for long.
func (d *digests) next() (string, error) {
	_ = d.file.SetReadDeadline(time.Now().Add(d.wait))
	for d.lines.Scan() {
		line := d.lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) < 6 {
			return "", d.fault("a digest is malformed")
		}
		sum, ok := strings.CutPrefix(strings.TrimSpace(fields[5]), "0x")
		if !ok || len(sum) != 8 {
			return "", d.fault("a digest is malformed")
		}
		return strings.ToLower(sum), nil
	}
	return "", d.fault("the decoder ended before it told a picture's digest")
}

// fault tells a clip that is damaged from a decoder that hangs, maybe in the middle of a line.
func (d *digests) fault(damage string) error {
	if errors.Is(d.lines.Err(), os.ErrDeadlineExceeded) {
		return fmt.Errorf("the %w: no digest came for %s", ErrStalled, d.wait)
	}
	return fmt.Errorf("%w: %s", ErrDamaged, damage)
}

func (d *digests) close() { d.file.Close() }
