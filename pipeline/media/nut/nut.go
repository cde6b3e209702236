// Package nut reads and writes NUT streams that hold one raw video stream: the form in which frames travel to and from
// ffmpeg, each with its own time stamp in any time base.
//
// The reader takes what libavformat's muxer writes (versions 3 and 4, any frame code table, elision headers, info packets
// and indexes) and refuses everything else: several streams, side data, sizes that do not fit. The writer makes version 3
// with a syncpoint before each frame. Both check or make the header checksums. Neither allocates anything of a frame's
// size: the caller owns the pixels. The format is described at https://ffmpeg.org/~michael/nut.txt.
package nut

import "errors"

// Errors of the reader. ErrFormat covers everything that is not a NUT stream of the kind told above.
var (
	ErrFormat = errors.New("not a NUT stream with one raw video stream")
	// ErrSize says that a frame's payload has another size than the caller's buffer.
	ErrSize = errors.New("frame of another size")
)

// Header describes the stream.
type Header struct {
	// Tag is libavformat's code for the pixel format: "I420", "Y42B", "444P", "Y3\x0b\x0a", "BGR\x18", ...
	Tag           string
	Width, Height int
	// TimeNum/TimeDen is the time base in seconds.
	TimeNum, TimeDen int64
	// AspectNum:AspectDen is the sample aspect ratio, 0:0 where unknown.
	AspectNum, AspectDen int
}

// Frame is one frame's header.
type Frame struct {
	PTS  int64
	Key  bool
	Size int // bytes of the payload
}

const (
	fileID = "nut/multimedia container\x00"

	startMain   = 0x4E4D7A561F5F04AD
	startStream = 0x4E5311405BF2F9DB
	startSync   = 0x4E4BE4ADEECA4569
	startIndex  = 0x4E58DD672F23E64E
	startInfo   = 0x4E49AB68B596BA78
)

// Flags of a frame code.
const (
	flagKey       = 1
	flagEOR       = 2
	flagCodedPTS  = 8
	flagStreamID  = 16
	flagSizeMSB   = 32
	flagChecksum  = 64
	flagReserved  = 128
	flagSideData  = 256
	flagHeaderIdx = 1024
	flagMatchTime = 2048
	flagCoded     = 4096
	flagInvalid   = 8192
)

const (
	maxPacket = 1 << 20 // no header of ours or of libavformat comes near
	maxSide   = 1 << 15
	maxFrame  = 1 << 31
)

// crcTable is CRC-32 with the polynomial 04C11DB7, most significant bit first.
var crcTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&0x80000000 != 0 {
				c = c<<1 ^ 0x04C11DB7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()

func crc(sum uint32, p []byte) uint32 {
	for _, b := range p {
		sum = sum<<8 ^ crcTable[byte(sum>>24)^b]
	}
	return sum
}
