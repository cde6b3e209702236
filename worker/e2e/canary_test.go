package e2e_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"veil/pipeline/media/mp4"
	"veil/worker/evidence"
	"veil/worker/seal"
)

// canary gives a word that occurs nowhere else; place says where it is planted.
func canary(place string) string { return "qzxj" + place + "jxzq" }

// gps is a place of recording as cameras write it.
const gps = "+47.36917-122.88231/"

// planted is one clip full of what must not travel.
type planted struct {
	ext    string
	places []string // canaries that the clip holds, as the test checks
	gps    bool
	make   func(t *testing.T, p *place, path string)
}

// tags are the arguments that plant words in the container's tags.
var tags = []string{
	"-metadata", "title=" + canary("title"), "-metadata", "comment=" + canary("comment"), "-metadata", "artist=" + canary("artist"),
	"-metadata", "location=" + gps, "-metadata", "make=" + canary("make"), "-metadata:s:v", "title=" + canary("videotitle"),
	"-metadata:s:v", "handler_name=" + canary("handler"), "-metadata:s:a:0", "title=" + canary("soundtitle"),
	"-metadata:s:a:0", "handler_name=" + canary("soundhandler")}

// userData plants a word in the picture's own stream.
var userData = []string{"-bsf:v", "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+" + canary("sei")}

var plantedClips = []planted{
	{ext: ".mp4", gps: true, make: plantMP4,
		places: []string{"title", "comment", "artist", "handler", "soundhandler", "chapter", "subtitle", "cover", "sei", "second", "udta", "trackname",
			"xmp", "uuid", "free", "trailing"}},
	{ext: ".mov", gps: true, make: plantMOV,
		places: []string{"title", "comment", "artist", "make", "handler", "soundhandler", "chapter", "sei", "reel", "udta", "trackname", "xmp", "uuid", "free", "trailing"}},
	{ext: ".mkv", gps: true, make: plantMKV,
		places: []string{"title", "comment", "artist", "make", "videotitle", "soundtitle", "chapter", "subtitle", "cover", "sei", "second", "attachment", "attachname", "coverfile", "mytag"}},
	{ext: ".ts", make: plantTS, places: []string{"service", "provider", "sei", "data"}},
	{ext: ".avi", make: plantAVI, places: []string{"title", "comment", "artist", "videotitle", "soundtitle", "second", "sei", "junk", "date"}},
}

// TestNothingOfTheSourceIsTold plants words wherever a container holds some, and looks for them in the derivative, the plan, the
// report and all that is printed (A13 to A15, A17). On the terminal the clip's own name may stand.
func TestNothingOfTheSourceIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range plantedClips {
		t.Run(c.ext[1:], func(t *testing.T) {
			p := newPlace(t)
			folder := p.path(canary("folder"))
			for _, dir := range []string{folder, p.path("out")} {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			in := filepath.Join(folder, canary("name")+c.ext)
			c.make(t, p, in)
			source := read(t, in)
			for _, place := range c.places {
				if !holds(source, canary(place)) {
					t.Fatalf("the test planted no %s", place)
				}
			}
			if c.gps && !bytes.Contains(source, []byte(gps)) {
				t.Fatal("the test planted no place of recording")
			}
			said := p.printed(t, in, c.ext)
			for _, place := range append(slices.Clone(c.places), "folder", "name") {
				for name, b := range said {
					if place == "name" && (strings.HasPrefix(name, "terminal") || strings.HasSuffix(name, evidence.AnnexEnding)) {
						continue // the annex is where the name belongs
					}
					if holds(b, canary(place)) {
						t.Errorf("%s: %s is told", name, place)
					}
				}
			}
			for name, b := range said {
				for _, word := range []string{gps, "+47.36917", "-122.88231", "47.3691", "122.8823"} {
					if bytes.Contains(b, []byte(word)) {
						t.Errorf("%s: the place of recording is told", name)
					}
				}
			}
			p.bare(t, p.path("out/out.mp4"))
			p.counted(t)
			if c.ext == ".mp4" {
				p.strange(t, in)
			}
			p.clean(t)
		})
	}
}

// printed runs every command that reads the clip, and gives what they wrote and what they said. Words for the terminal are
// named so.
func (p *place) printed(t *testing.T, in, ext string) map[string][]byte {
	t.Helper()
	r := p.must(t, exitReleased, "redact", in, "-o", "out/out.mp4", "--plan-out", "out/plan.json", "--report", "out/report.json",
		"--contact-sheet", "out/sheet.png", "--audio", "keep", "--effort", "fast", "--progress", "json")
	j := p.must(t, exitReleased, "render", in, "--plan", "out/plan.json", "-o", "out/again.mp4", "--json")
	a := p.must(t, 0, "analyze", in, "-o", "out/plan2.json", "--effort", "fast", "--people", "out/people.png")
	v := p.must(t, exitPartial, "verify", "out/out.mp4", "--original", in, "--plan", "out/plan.json")
	b := p.must(t, 0, "probe", in)
	k := p.must(t, 0, "probe", in, "--json")
	// A clip that is damaged makes ffmpeg print what it knows.
	broken := filepath.Join(filepath.Dir(in), "broken"+ext)
	whole := read(t, in)
	write(t, broken, whole[:len(whole)*3/5])
	x := p.veil(t, "redact", broken, "-o", "out/broken.mp4")
	said := map[string][]byte{}
	for i, r := range []result{r, j, a, v, b, k, x} {
		said[fmt.Sprintf("terminal %d out", i)] = []byte(r.out)
		said[fmt.Sprintf("terminal %d err", i)] = []byte(r.err)
	}
	for _, name := range filesBelow(t, p.path("out")) {
		said[name] = read(t, p.path("out/"+name))
		if strings.HasSuffix(name, evidence.ManifestEnding) { // its words are in base64
			e, err := seal.OpenEnvelope(said[name])
			if !errors.Is(err, seal.ErrUnsigned) {
				t.Fatal(err)
			}
			said[name+" payload"] = e.Payload
		}
	}
	return said
}

// bare fails the test unless the derivative holds one picture, at most one sound, and no words.
func (p *place) bare(t *testing.T, path string) {
	t.Helper()
	everyByte(t, path)
	s := probe(t, path)
	if s.count("video") != 1 || s.count("audio") > 1 || len(s.Streams) != 1+s.count("audio") || len(s.Chapters) != 0 {
		t.Errorf("the derivative holds %d streams and %d chapters", len(s.Streams), len(s.Chapters))
	}
	allowed := map[string]string{"language": "und", "handler_name": "", "vendor_id": "[0][0][0][0]", "encoder": "veil",
		"major_brand": "", "minor_version": "512", "compatible_brands": ""}
	told := []map[string]string{s.Format.Tags}
	for _, x := range s.Streams {
		told = append(told, x.Tags)
	}
	for _, list := range told {
		for name, value := range list {
			want, ok := allowed[name]
			if !ok || want != "" && value != want || strings.Contains(value, "qzxj") {
				t.Errorf("the derivative is tagged %s: %q", name, value)
			}
		}
	}
	b := read(t, path)
	for _, word := range []string{"Lavf", "Lavc", "x264", "creation", "\xa9xyz", "uuid"} {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("the derivative holds %q", word)
		}
	}
	if t.Failed() {
		return
	}
	// The second tone is that of the sound track that was not asked for.
	if s.count("audio") == 1 {
		samples, _ := soundOf(t, path)
		if one, two := strength(samples, firstTone), strength(samples, secondTone); one < 0.9 || two > 0.01 {
			t.Errorf("of the first sound there is %.3f, of the second %.3f", one, two)
		}
	}
}

// counted fails the test unless the report tells what the walk over the derivative counted.
func (p *place) counted(t *testing.T) {
	t.Helper()
	var report struct {
		Frames    int64      `json:"frames"`
		Container mp4.Counts `json:"container"`
	}
	if err := json.Unmarshal(read(t, p.path("out/report.json")), &report); err != nil {
		t.Fatal(err)
	}
	if c := report.Container; c.Frames != report.Frames || c.NALUnits < c.Frames+2 || c.SoundFrames == 0 || c.MediaBytes == 0 {
		t.Errorf("the report of %d frames tells %+v", report.Frames, c)
	}
}

// strange fails the test unless the check finds what somebody hangs onto a derivative that is fine.
func (p *place) strange(t *testing.T, original string) {
	t.Helper()
	write(t, p.path("strange.mp4"), append(read(t, p.path("out/out.mp4")), box("uuid", []byte("0123456789abcdef"+canary("late"))...)...))
	r := p.veil(t, "verify", "strange.mp4", "--original", original, "--plan", "out/plan.json")
	if r.code != exitVerify || !strings.Contains(r.out, "failed    container: byte ") || strings.Contains(r.out+r.err, canary("late")) {
		t.Errorf("a box behind the end: %d %s%s", r.code, r.out, r.err)
	}
}

// holds looks for a word in the encodings that containers use.
func holds(b []byte, word string) bool {
	if bytes.Contains(bytes.ToLower(b), []byte(word)) {
		return true
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var wide []byte
		for _, u := range utf16.Encode([]rune(word)) {
			wide = order.AppendUint16(wide, u)
		}
		if bytes.Contains(b, wide) {
			return true
		}
	}
	return false
}

// Pitches of the two sound tracks.
const firstTone, secondTone = 500, 3100

// sounds are two inputs of sound.
var sounds = []string{"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%d:duration=1", firstTone),
	"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%d:duration=1", secondTone)}

// chaptersFile, subtitleFile and coverFile write what is planted beside the picture.
func (p *place) chaptersFile(t *testing.T) string {
	t.Helper()
	write(t, p.path("chapters.txt"), fmt.Appendf(nil, ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=5\ntitle=%s\n", canary("chapter")))
	return p.path("chapters.txt")
}

func (p *place) subtitleFile(t *testing.T) string {
	t.Helper()
	write(t, p.path("subtitle.srt"), fmt.Appendf(nil, "1\n00:00:00,100 --> 00:00:00,900\n%s\n", canary("subtitle")))
	return p.path("subtitle.srt")
}

// coverFile is a picture that says so in a comment of its own.
func (p *place) coverFile(t *testing.T) string {
	t.Helper()
	path := p.path("cover.png")
	ffmpeg(t, nil, "-f", "lavfi", "-i", "color=size=32x32", "-frames:v", "1", path)
	b := read(t, path)
	chunk := append([]byte("tEXt"), []byte("Comment\x00"+canary("cover"))...)
	whole := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	whole = binary.BigEndian.AppendUint32(append(whole, chunk...), crc32.ChecksumIEEE(chunk))
	const head = 8 + 25 // signature and header
	write(t, path, slices.Concat(b[:head], whole, b[head:]))
	return path
}

// box is an MP4 box.
func box(kind string, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, kind...), body...)
}

// trail appends boxes that no player reads, and bytes that belong to none.
func trail(t *testing.T, path string) {
	t.Helper()
	b := read(t, path)
	b = append(b, box("uuid", []byte("0123456789abcdef"+canary("uuid"))...)...)
	b = append(b, box("free", []byte(canary("free"))...)...)
	write(t, path, append(b, box("skip", []byte(canary("trailing"))...)...))
}

// xmp says that a uuid box holds an XMP document.
var xmp = []byte{0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8, 0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac}

// locate writes the place of recording into the index, as phones do, and a tag, a track's name and a document of tags beside it. The
// index is the file's last box.
func locate(t *testing.T, path string) {
	t.Helper()
	b := read(t, path)
	at := bytes.LastIndex(b, []byte("moov")) - 4
	if at < 0 || at+int(binary.BigEndian.Uint32(b[at:])) != len(b) {
		t.Fatal("the index is not the last box")
	}
	words := binary.BigEndian.AppendUint16(nil, uint16(len(gps)))
	words = append(binary.BigEndian.AppendUint16(words, 0x15c7), gps...)
	b = append(b, box("udta", slices.Concat(box("\xa9xyz", words...), box("name", []byte(canary("udta"))...))...)...)
	b = append(b, box("uuid", slices.Concat(xmp, []byte("<x:xmpmeta>"+canary("xmp")))...)...)
	trak := at + bytes.Index(b[at:], []byte("trak")) - 4
	length := int(binary.BigEndian.Uint32(b[trak:]))
	named := box("udta", box("name", []byte(canary("trackname"))...)...)
	b = slices.Insert(b, trak+length, named...)
	binary.BigEndian.PutUint32(b[trak:], uint32(length+len(named)))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	write(t, path, b)
}

func plantMP4(t *testing.T, p *place, path string) {
	in := with(sounds, "-i", p.subtitleFile(t), "-i", p.chaptersFile(t), "-i", p.coverFile(t))
	args := with(in, "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "5:v", "-map_chapters", "4")
	args = append(append(append(args, h264...), tags...), userData...)
	makeClip(t, 25, oneFace, append(args, "-metadata:s:a:1", "handler_name="+canary("second"), "-c:a", "aac", "-c:s", "mov_text",
		"-c:v:1", "copy", "-bsf:v:1", "null", "-disposition:v:1", "attached_pic", path)...)
	locate(t, path)
	trail(t, path)
}

func plantMOV(t *testing.T, p *place, path string) {
	args := with(sounds, "-i", p.chaptersFile(t), "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map_chapters", "3")
	args = append(append(append(args, h264...), tags...), userData...)
	makeClip(t, 25, oneFace, append(args, "-timecode", "01:02:03:04", "-metadata:s:v", "reel_name="+canary("reel"), "-c:a", "aac", path)...)
	locate(t, path)
	trail(t, path)
}

func plantMKV(t *testing.T, p *place, path string) {
	write(t, p.path("attached.txt"), []byte(canary("attachment")))
	in := with(sounds, "-i", p.subtitleFile(t), "-i", p.chaptersFile(t), "-i", p.coverFile(t))
	args := with(in, "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "5:v", "-map_chapters", "4")
	args = append(append(append(args, h264...), tags...), userData...)
	makeClip(t, 25, oneFace, append(args, "-metadata", "MYTAG="+canary("mytag"), "-metadata:s:a:1", "title="+canary("second"), "-c:a", "libvorbis",
		"-c:s", "srt", "-c:v:1", "copy", "-bsf:v:1", "null", "-disposition:v:1", "attached_pic", "-metadata:s:v:1", "filename="+canary("coverfile")+".png",
		"-attach", p.path("attached.txt"),
		"-metadata:s:t:0", "mimetype=text/plain", "-metadata:s:t:0", "filename="+canary("attachname")+".txt", path)...)
}

func plantTS(t *testing.T, p *place, path string) {
	write(t, p.path("data.bin"), []byte(strings.Repeat(canary("data"), 8)))
	args := with(sounds, "-f", "data", "-i", p.path("data.bin"), "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:d")
	args = append(append(append(args, h264...), tags...), userData...)
	makeClip(t, 25, oneFace, append(args, "-metadata", "service_name="+canary("service"), "-metadata", "service_provider="+canary("provider"),
		"-c:a", "aac", "-c:d", "copy", path)...)
}

func plantAVI(t *testing.T, p *place, path string) {
	args := with(sounds, "-map", "0:v", "-map", "1:a", "-map", "2:a")
	args = append(append(append(args, h264...), tags...), userData...)
	makeClip(t, 25, oneFace, append(args, "-bf", "0", "-metadata:s:a:1", "title="+canary("second"), "-metadata", "date="+canary("date"),
		"-c:a", "mp3", path)...)
	b := read(t, path)
	junk := append([]byte("JUNK"), binary.LittleEndian.AppendUint32(nil, uint32(len(canary("junk"))))...)
	write(t, path, append(append(b, junk...), canary("junk")...))
}
