package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// bad is a command that cannot work.
type bad struct {
	name string
	make func(t *testing.T, p *place) // what lies there before
	args []string                     // nil: redact in.mp4 -o out.mp4
	code int
	says string // part of its line
}

// badInputs are the clips that nothing can be made of.
var badInputs = []bad{
	{name: "empty", make: func(t *testing.T, p *place) { write(t, p.path("in.mp4"), nil) }, code: exitUnsupported},
	{name: "cut short", make: func(t *testing.T, p *place) {
		simpleClip(t, p.path("in.mp4"), 20, oneFace)
		b := read(t, p.path("in.mp4"))
		write(t, p.path("in.mp4"), b[:len(b)/2])
	}, code: exitUnsupported},
	{name: "cut short with its index", make: func(t *testing.T, p *place) {
		makeClip(t, 20, oneFace, with(h264, "-movflags", "+faststart", p.path("in.mp4"))...)
		b := read(t, p.path("in.mp4"))
		write(t, p.path("in.mp4"), b[:len(b)*2/3])
	}, code: exitUnsupported},
	{name: "random bytes", make: func(t *testing.T, p *place) {
		b := make([]byte, 100_000)
		rand.New(rand.NewSource(1)).Read(b)
		write(t, p.path("in.mp4"), b)
	}, code: exitUnsupported},
	{name: "sound only", make: func(t *testing.T, p *place) {
		ffmpeg(t, nil, "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", p.path("in.mp4"))
	}, code: exitUnsupported},
	{name: "picture named as a clip", make: func(t *testing.T, p *place) {
		ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc2=duration=1", "-frames:v", "1", "-f", "image2", "-c:v", "mjpeg", p.path("in.mp4"))
	}, code: exitUnsupported},
	{name: "1x1", make: func(t *testing.T, p *place) {
		ffmpeg(t, nil, "-f", "lavfi", "-i", "color=size=2x2:duration=0.2", "-vf", "format=yuv444p,crop=1:1", "-c:v", "libx264", p.path("in.mp4"))
	}, code: exitUnsupported},
	{name: "no frames", make: func(t *testing.T, p *place) {
		ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc2=duration=1", "-c:v", "libx264", "-t", "0", "-f", "mp4", p.path("in.mp4"))
	}, code: exitUnsupported},
	{name: "no codec", make: func(t *testing.T, p *place) {
		simpleClip(t, p.path("in.mp4"), 5, noFace)
		b := []byte(strings.ReplaceAll(string(read(t, p.path("in.mp4"))), "avc1", "zzz9"))
		write(t, p.path("in.mp4"), b)
	}, code: exitUnsupported},
	{name: "encrypted", make: func(t *testing.T, p *place) {
		makeClip(t, 10, noFace, with(h264, "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb",
			"-encryption_kid", "a7e61c373e219033c21091fa607bf3b8", p.path("in.mp4"))...)
	}, code: exitUnsupported, says: "encrypted"},
	{name: "too many pixels", make: func(t *testing.T, p *place) { simpleClip(t, p.path("in.mp4"), 5, noFace) },
		args: []string{"redact", "in.mp4", "-o", "out.mp4", "--max-pixels", "70000"}, code: exitUnsupported},
	{name: "missing", make: func(*testing.T, *place) {}, code: exitUsage},
	{name: "a folder in its place", make: func(t *testing.T, p *place) {
		if err := os.Mkdir(p.path("in.mp4"), 0o755); err != nil {
			t.Fatal(err)
		}
	}, args: []string{"probe", "in.mp4"}, code: exitUsage},
	{name: "a pipe", make: func(t *testing.T, p *place) {
		if err := syscall.Mkfifo(p.path("in.mp4"), 0o600); err != nil {
			t.Fatal(err)
		}
	}, code: exitUsage},
}

// goodClip makes in.mp4 of a few frames.
func goodClip(t *testing.T, p *place) { simpleClip(t, p.path("in.mp4"), 5, noFace) }

// badRequests are outputs, policies and flags that make no sense.
var badRequests = []bad{
	{name: "output is the input", make: goodClip, args: []string{"redact", "in.mp4", "-o", "in.mp4"}, code: exitUsage, says: "input itself"},
	{name: "output is the input by a link", make: func(t *testing.T, p *place) {
		goodClip(t, p)
		if err := os.Symlink("in.mp4", p.path("out.mp4")); err != nil {
			t.Fatal(err)
		}
	}, code: exitUsage, says: "input itself"},
	{name: "output is the input by a hard link", make: func(t *testing.T, p *place) {
		goodClip(t, p)
		if err := os.Link(p.path("in.mp4"), p.path("out.mp4")); err != nil {
			t.Fatal(err)
		}
	}, code: exitUsage, says: "input itself"},
	{name: "output is the input through a folder's link", make: func(t *testing.T, p *place) {
		goodClip(t, p)
		if err := os.Symlink(".", p.path("here")); err != nil {
			t.Fatal(err)
		}
	}, args: []string{"redact", "in.mp4", "-o", "here/in.mp4"}, code: exitUsage, says: "input itself"},
	{name: "held output would be the input", make: func(t *testing.T, p *place) {
		goodClip(t, p)
		if err := os.Rename(p.path("in.mp4"), p.path("out.held.mp4")); err != nil {
			t.Fatal(err)
		}
	}, args: []string{"redact", "out.held.mp4", "-o", "out.mp4"}, code: exitUsage},
	{name: "no folder for the output", make: goodClip, args: []string{"redact", "in.mp4", "-o", "no/folder/out.mp4"}, code: exitUsage},
	{name: "output folder of the kernel", make: goodClip, args: []string{"redact", "in.mp4", "-o", "/proc/out.mp4"}, code: exitUsage},
	{name: "output of another kind", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mkv"}, code: exitUsage},
	{name: "policy missing", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--policy", "nowhere.json"}, code: exitUsage},
	{name: "policy is a folder", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--policy", "/"}, code: exitUsage},
	{name: "policy is no JSON", make: func(t *testing.T, p *place) {
		goodClip(t, p)
		write(t, p.path("p.json"), []byte("{\"schema\": \"veil.policy/1\",\n\n"))
	}, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--policy", "p.json"}, code: exitUsage},
	{name: "policy with unknown fields", make: func(t *testing.T, p *place) {
		goodClip(t, p)
		write(t, p.path("p.json"), []byte(`{"schema":"veil.policy/1","name":"x","release":"public","cover":"hat","fill":"solid","shape":"rectangle",
			"unsure":"mask","damage":"fail","profile":"press","audio":"drop","effort":"fast","colour":"green"}`))
	}, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--policy", "p.json"}, code: exitUsage, says: "colour"},
	{name: "blur for the public", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--fill", "blur"}, code: exitUsage, says: "public"},
	{name: "mosaic for the public", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--fill", "mosaic"}, code: exitUsage, says: "public"},
	{name: "mute without sound", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--mute", "0-1"}, code: exitUsage},
	{name: "excerpt ends before it begins", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--from", "3", "--to", "2"}, code: exitUsage},
	{name: "excerpt behind the end", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--from", "30"}, code: exitUsage},
	{name: "unknown flag", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--quick"}, code: exitUsage},
	{name: "no command", make: goodClip, args: []string{"reduct"}, code: exitUsage},
	{name: "weights missing", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--models", "."}, code: exitFailed},
	{name: "ffmpeg missing", make: goodClip, args: []string{"redact", "in.mp4", "-o", "out.mp4", "--ffmpeg", "nowhere"}, code: exitUsage},
}

// TestBadInput hands in what cannot work: one line, the documented exit code, no file, no trace, no hang.
func TestBadInput(t *testing.T) {
	t.Parallel()
	for _, b := range append(append([]bad{}, badInputs...), badRequests...) {
		t.Run(b.name, func(t *testing.T) {
			p := newPlace(t)
			b.make(t, p)
			before := snapshot(t, p)
			args := b.args
			if args == nil {
				args = []string{"redact", "in.mp4", "-o", "out.mp4"}
			}
			r := p.veil(t, args...)
			oneLine(t, r, b.code)
			if !strings.Contains(r.err, b.says) {
				t.Errorf("it does not say %q: %q", b.says, r.err)
			}
			if r.out != "" {
				t.Errorf("printed %q", r.out)
			}
			if after := snapshot(t, p); after != before {
				t.Errorf("files before: %s\nand after: %s", before, after)
			}
			p.clean(t)
		})
	}
}

// snapshot tells the files of a place by name, kind and content, but for the scratch folder.
func snapshot(t *testing.T, p *place) string {
	t.Helper()
	var s strings.Builder
	for _, name := range filesBelow(t, p.dir) {
		info, err := os.Lstat(p.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, ".scratch/") {
			continue
		}
		fmt.Fprintf(&s, "%q %v", name, info.Mode())
		if info.Mode().IsRegular() {
			fmt.Fprintf(&s, " %x", digest(read(t, p.path(name))))
		}
		s.WriteString("; ")
	}
	return s.String()
}

// TestBadInputAsJSON tells one of each class as an object, with nothing on standard error.
func TestBadInputAsJSON(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	write(t, p.path("in.mp4"), []byte("no clip"))
	for code, args := range map[int][]string{
		exitUnsupported: {"redact", "in.mp4", "-o", "out.mp4", "--json"},
		exitUsage:       {"redact", "in.mp4", "-o", "in.mp4", "--json"},
	} {
		r := p.veil(t, args...)
		var answer struct {
			Failure struct {
				Code, Detail string
				Exit         int
			}
		}
		if err := json.Unmarshal([]byte(r.out), &answer); err != nil || r.err != "" {
			t.Fatalf("%v: %q, %q", err, r.out, r.err)
		}
		if r.code != code || answer.Failure.Exit != code || answer.Failure.Code == "" || answer.Failure.Detail == "" {
			t.Errorf("ended with %d, said %+v", r.code, answer.Failure)
		}
	}
}

// TestOddNames are paths that trip other programs.
func TestOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-y", "-i", "with space", "it's \"so\"", "line\nend", "100%d", "*?[a]", "a:b", "ünïcödé", "a,b;c", "\x1b[2Jbell\a"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			p := newPlace(t)
			simpleClip(t, filepath.Join(p.dir, name+".mp4"), 3, noFace)
			out := name + "-out.mp4"
			r := p.must(t, exitReleased, "redact", "--effort=fast", "--out="+out, "--report="+name+".json", "--", name+".mp4")
			if n := len(stampsOf(t, p.path(out))); n != 3 {
				t.Errorf("%d frames", n)
			}
			if strings.ContainsAny(r.out, "\x1b\a") {
				t.Errorf("it moves the terminal's cursor: %q", r.out)
			}
			p.clean(t)
		})
	}
}

// TestNameThatIsNotUTF8 is refused, by itself and in a folder, where it does not stop the others.
func TestNameThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := os.Mkdir(p.path("in"), 0o755); err != nil {
		t.Fatal(err)
	}
	simpleClip(t, p.path("in/good.mp4"), 3, noFace)
	write(t, p.path("in/\xff.mp4"), read(t, p.path("in/good.mp4")))
	oneLine(t, p.veil(t, "redact", "in/\xff.mp4", "-o", "out.mp4"), exitUsage)
	r := p.must(t, exitUsage, "redact", "in", "-o", "out", "--effort", "fast")
	if !strings.Contains(r.out, "not UTF-8") {
		t.Errorf("it does not say why: %q", r.out)
	}
	if n := len(stampsOf(t, p.path("out/good.mp4"))); n != 3 {
		t.Errorf("%d frames", n)
	}
	p.clean(t)
}

// TestEightK hands in one frame of the largest usual size: over the limit that is set, and redacted where the limit is raised.
func TestEightK(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc2=size=7680x4320:rate=25:duration=0.04", "-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", p.path("in.mp4"))
	oneLine(t, p.veil(t, "redact", "in.mp4", "-o", "out.mp4"), exitUnsupported)
	absent(t, p.path("out.mp4"))
	p.must(t, exitReleased, "redact", "in.mp4", "-o", "out.mp4", "--effort", "fast", "--max-pixels", "0")
	if n := len(stampsOf(t, p.path("out.mp4"))); n != 1 {
		t.Errorf("%d frames", n)
	}
	p.clean(t)
}

// mounted runs the program in a mount namespace of its own, after shell commands there.
func (p *place) mounted(t *testing.T, before string, args ...string) result {
	t.Helper()
	// In a chroot whose root is no mount the propagation of / cannot be set; that does no harm where nothing is shared.
	const private = `{ mount --make-rprivate / 2>/dev/null || ! grep -q shared: /proc/self/mountinfo; }`
	unshare := []string{"-m", "--propagation", "unchanged", "sh", "-c"}
	if r := p.exec(t, "unshare", append(unshare, private)...); r.code != 0 {
		skip(t, "mount namespaces are not permitted: %s", r.err)
	}
	script := private + " && " + before + ` && exec "$0" "$@"`
	return p.exec(t, "unshare", append(append(unshare, script, program), args...)...)
}

// TestOutputThatCannotBeWritten tries folders that take no file.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	simpleClip(t, p.path("in.mp4"), 20, oneFace)
	if err := os.Mkdir(p.path("out"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"out/out.mp4", "out"} {
		r := p.mounted(t, "mount --bind out out && mount -o remount,bind,ro out", "redact", "in.mp4", "-o", target)
		oneLine(t, r, exitUsage)
	}
	if left := filesBelow(t, p.path("out")); len(left) > 0 {
		t.Errorf("left there: %q", left)
	}
	p.clean(t)
}

// TestFullOutput lets the disk run full: of the output, and of the scratch folder.
func TestFullOutput(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	// Noise, so that the derivative is large.
	ffmpeg(t, nil, "-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:duration=0.6,noise=alls=60:allf=t", "-f", "lavfi", "-i", "sine=duration=0.6",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", p.path("in.mp4"))
	for _, folder := range []string{"out", ".scratch"} {
		if err := os.MkdirAll(p.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
		r := p.mounted(t, "mount -t tmpfs -o size=16k,mode=700 none "+folder, "redact", "in.mp4", "-o", "out/out.mp4", "--audio", "keep", "--effort", "fast")
		oneLine(t, r, exitFailed)
		if !strings.Contains(r.err, "space") {
			t.Errorf("%s is full: %q", folder, r.err)
		}
		absent(t, p.path("out/out.mp4"))
		p.noProcess(t)
	}
}
