package mp4

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBooksAreWhole: every codeword of a book means something, each meaning has one codeword, and no string of bits is left over.
func TestBooksAreWhole(t *testing.T) {
	books := append(slices.Clone(spectrumBooks[:]), scaleBook)
	for i, b := range books {
		size := 121
		if b.digits > 0 {
			size = 1
			for range b.digits {
				size *= b.base
			}
		}
		room, n := 1, 0
		for _, count := range b.counts {
			room = 2*room - int(count)
			n += int(count)
		}
		values := slices.Sorted(slices.Values(b.values))
		if room != 0 || n != size || len(values) != size || values[0] != 0 || int(values[size-1]) != size-1 || len(slices.Compact(values)) != size {
			t.Errorf("book %d has %d codewords of %d, %d values, room for %d more", i+1, n, size, len(values), room)
		}
	}
}

// TestSoundIsReadToItsEnd reads what the encoder makes of very different sounds: one bit read wrongly, and the frame would not end
// where it does.
func TestSoundIsReadToItsEnd(t *testing.T) {
	for name, c := range map[string][]string{
		"noise":        {"-f", "lavfi", "-i", "anoisesrc=d=2:r=48000:a=0.9", "-b:a", "96k"},
		"loud noise":   {"-f", "lavfi", "-i", "anoisesrc=d=1:r=48000:a=1", "-b:a", "512k"},
		"faint noise":  {"-f", "lavfi", "-i", "anoisesrc=d=2:r=48000:a=0.001:c=pink", "-b:a", "32k"},
		"silence":      {"-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", "1"},
		"clicks":       {"-f", "lavfi", "-i", "aevalsrc=if(lt(mod(t\\,0.11)\\,0.001)\\,0.9\\,0.01*sin(3000*t)):d=2:s=48000", "-b:a", "96k"},
		"sweep":        {"-f", "lavfi", "-i", "aevalsrc=0.8*sin(9000*t*t)|0.3*sin(400*t):d=2:s=48000", "-b:a", "192k"},
		"six channels": {"-f", "lavfi", "-i", "aevalsrc=sin(440*t)|random(1)|sin(90*t)*sin(7000*t)|0.2*sin(60*t)|random(2)*0.1|sin(3000*t):c=5.1:d=1:s=48000", "-b:a", "384k"},
		"fast coder":   {"-f", "lavfi", "-i", "anoisesrc=d=1:r=48000:a=0.3:c=brown", "-aac_coder", "fast"},
	} {
		path := filepath.Join(t.TempDir(), "out.mp4")
		run(t, slices.Concat(c, []string{"-c:a", "aac", "-flags:a", "+bitexact"}, clean, []string{path}))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a := walk(t, b)
		if a.SoundFrames < 40 {
			t.Errorf("%s: %d frames", name, a.SoundFrames)
		}
		for _, f := range a.Findings {
			if f.Kind != Tracks { // there are no pictures
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}

// packed packs a string of bits into bytes; blanks and letters are left out.
func packed(s string) []byte {
	var p []byte
	n := 0
	for _, c := range s {
		if c != '0' && c != '1' {
			continue
		}
		if n%8 == 0 {
			p = append(p, 0)
		}
		p[n/8] |= byte(c-'0') << (7 - n%8)
		n++
	}
	return p
}

// octets are the bits of a word.
func octets(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%08b", c)
	}
	return b.String()
}

// quiet is one channel of silence without bands, and its end.
const (
	quietChannel = "000 0000" + quietStream
	quietStream  = "00000000" + "0 00 0 000000 0" + "0 0 0"
	frameEnd     = "111"
)

// TestSoundFramesThatHoldMore refuses everything in a frame that is no sound.
func TestSoundFramesThatHoldMore(t *testing.T) {
	mono, stereo := layouts[1], layouts[2]
	for _, c := range []struct {
		name, bits, says string
		layout           []uint32
	}{
		{"silence", quietChannel + frameEnd, "", mono},
		{"a pair", "001 0000 0" + quietStream + quietStream + frameEnd, "", stereo},
		{"data", quietChannel + "100 0000 0 00000110" + octets("SECRET") + frameEnd, "a data stream", mono},
		{"data in front", "100 0000 0 00000110" + octets("SECRET") + quietChannel + frameEnd, "a data stream", mono},
		{"filler", quietChannel + "110 0111 0001" + octets("SECRET") + frameEnd, "filler", mono},
		{"empty filler", quietChannel + "110 0000" + frameEnd, "filler", mono},
		{"configuration", "101" + strings.Repeat("0", 100), "a configuration", mono},
		{"coupling", "010" + strings.Repeat("0", 100), "a coupling channel", mono},
		{"behind the end", quietChannel + frameEnd + octets("SECRET"), "behind its end", mono},
		{"bits behind the end", quietChannel + frameEnd + "1", "behind its end", mono},
		{"no end", quietChannel, "more channels", mono},
		{"cut", "000 0000 0000", "ends before", mono},
		{"another channel", quietChannel + quietChannel + frameEnd, "more channels", mono},
		{"a channel for a pair", quietChannel + frameEnd, "another element", stereo},
		{"number", "000 0101" + quietStream + frameEnd, "not numbered in order", mono},
		{"gain control", "000 0000 00000000 0 00 0 000000 0 0 0 1" + frameEnd, "controls gain", mono},
		{"prediction", "000 0000 00000000 0 00 0 000000 1 0 0 0" + frameEnd, "predicts", mono},
		{"too many bands", "000 0000 00000000 0 00 0 111111 0 0 0 0" + frameEnd, "63 bands", mono},
		{"reserved book", "000 0000 00000000 0 00 0 000001 0 1100 00001 0 0 0" + frameEnd, "coded in a way that is none", mono},
		{"joined", "001 0000 1 0 00 0 000000 0 11", "joined in a way", stereo},
		{"nothing", "", "another element", stereo},
	} {
		f := soundFrame{r: bitReader{p: packed(c.bits)}}
		if got := f.walk(c.layout); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", c.name, got, c.says)
		}
	}
}

// TestSoundFrameInItsFile finds a frame that holds more, at its place in a file.
func TestSoundFrameInItsFile(t *testing.T) {
	m := open(t, clip(t, true))
	trak := "moov/trak2/mdia/minf/stbl/"
	at := int(be32(m.at(trak + "stco").body[8:])) - m.media()
	size := int(be32(m.at(trak + "stsz").body[12:]))
	sample := m.at("mdat").body[at : at+size]
	copy(sample, packed(quietChannel+frameEnd))
	a := walk(t, m.bytes())
	want := "sound frame 1: something stands behind its end"
	if len(a.Findings) != 1 || a.Findings[0].Kind != SoundData || a.Findings[0].Reason != want || a.Findings[0].Offset < int64(m.media()+at) {
		t.Errorf("%v, want %s", a.Findings, want)
	}
}
