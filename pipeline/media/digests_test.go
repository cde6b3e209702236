package media

import (
	"errors"
	"fmt"
	"hash/adler32"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDigests(t *testing.T) {
	const head = "#software: Lavf59\n#tb 0: 1/25\n"
	for _, c := range []struct {
		name, text, want string
		ok               bool
	}{
		{"one", head + "0,  0,  0,  1,  3110400, 0xA16EACDC\n", "a16eacdc", true},
		{"with side data", head + "0,  0,  0,  1,  1024, 0x0000abcd, S=1, 1024, 0xe06c0c9b\n", "0000abcd", true},
		{"none", head, "", false},
		{"short line", "0, 0, 0\n", "", false},
		{"short sum", "0, 0, 0, 1, 10, 0xabc\n", "", false},
		{"no sum", "0, 0, 0, 1, 10, a16eacdc\n", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(w, c.text)
			w.Close()
			d := newDigests(r)
			defer d.close()
			got, err := d.next()
			if got != c.want || (err == nil) != c.ok {
				t.Fatalf("digest %q, %v", got, err)
			}
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// A decoder that hangs is no damage of the clip.
func TestDigestThatNeverComes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	d := newDigests(r)
	defer d.close()
	d.wait = 20 * time.Millisecond
	fmt.Fprint(w, "#tb 0: 1/25\n0, 0, 0, 1, 10, 0xA1")
	if _, err := d.next(); !errors.Is(err, ErrStalled) || errors.Is(err, ErrDamaged) {
		t.Errorf("error is %v", err)
	}
}

// The digest of a frame is the Adler-32, begun at 0, of the very planes that a view without conversion hands over.
func TestDigestIsOfThePlanes(t *testing.T) {
	clip := sourceClip{encode: x264}.make(t)
	tools, err := DefaultTools()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Inspect(t.Context(), tools, clip, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	target, err := NewTarget(p, Court)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Decode(t.Context(), tools, clip, p, target.View, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	buf := make([]byte, target.View.Layout.Size())
	for range clipFrames {
		f, err := d.Next(buf)
		if err != nil {
			t.Fatal(err)
		}
		// Go's begins at 1: what that adds to both halves is taken off again.
		sum := adler32.Checksum(buf)
		a, b := (sum&0xffff+65521-1)%65521, (sum>>16+65521-uint32(len(buf)%65521))%65521
		if want := fmt.Sprintf("%08x", b<<16|a); !strings.EqualFold(want, f.Digest) {
			t.Errorf("frame %d: digest %s, of the planes %s", f.Number, f.Digest, want)
		}
	}
}
