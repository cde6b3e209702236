package vision

import (
	"encoding/json"
	"image"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gocv.io/x/gocv"

	"veil/pipeline/track"
)

// truth is a picture's faces, as the test footage lists them.
type truth struct {
	File          string
	Width, Height int
	Frames        []struct{ Boxes, Ignore [][4]float64 }
}

// sizeBins are the lower bounds, pixels of a face's longer side, of the rows of a recall table.
var sizeBins = []float64{0, 10, 20, 40, 100, 300}

// recall counts faces by size: all, found by YuNet, found by CenterFace, found by either. A face is found when 80 % of it lies
// under detections that are grown by a quarter.
type recall [6][4]int

func (r *recall) add(faces [][4]float64, seen []track.Detection) {
	for _, f := range faces {
		bin := 0
		for bin+1 < len(sizeBins) && max(f[2], f[3]) >= sizeBins[bin+1] {
			bin++
		}
		r[bin][0]++
		for k, name := range []string{YuNet, CenterFace, ""} {
			if coveredShare(f, seen, name) >= 0.8 {
				r[bin][k+1]++
			}
		}
	}
}

// from adds up the rows from a size on and gives the share that column k found.
func (r *recall) from(size float64, k int) float64 {
	n, all := 0, 0
	for i, lo := range sizeBins {
		if lo >= size {
			n, all = n+r[i][k], all+r[i][0]
		}
	}
	return float64(n) / float64(max(all, 1))
}

// coveredShare is the part of a face under the grown detections of one network, or of all.
func coveredShare(f [4]float64, seen []track.Detection, name string) float64 {
	const grid = 12
	in := 0
	for gy := range grid {
		for gx := range grid {
			x, y := f[0]+(float64(gx)+0.5)*f[2]/grid, f[1]+(float64(gy)+0.5)*f[3]/grid
			for _, d := range seen {
				b := d.Box
				if (name == "" || name == d.Detector) && x >= b.X-b.W/8 && x < b.X+b.W*9/8 && y >= b.Y-b.H/8 && y < b.Y+b.H*9/8 {
					in++
					break
				}
			}
		}
	}
	return float64(in) / (grid * grid)
}

// lookAt looks at one picture as a sweep does at its first frame.
func lookAt(t testing.TB, f *Finder, path string) (Result, image.Point) {
	t.Helper()
	img := readPicture(t, path)
	defer img.Close()
	size := pass{maxGrow: 1}.size(f.Long(), img.Cols(), img.Rows())
	small := gocv.NewMat()
	defer small.Close()
	gocv.Resize(img, &small, size, 0, 0, gocv.InterpolationArea)
	r := lookOnce(t, f, SweepOptions{Width: size.X, Height: size.Y, SourceWidth: img.Cols(), SourceHeight: img.Rows()}, small)
	if r.Err != nil {
		t.Fatalf("%s: %v", path, r.Err)
	}
	return r, image.Pt(img.Cols(), img.Rows())
}

// measureRecall looks at every step-th picture of a folder that has its faces listed.
func measureRecall(t testing.TB, f *Finder, folder string, step int) *recall {
	t.Helper()
	lists, err := filepath.Glob(filepath.Join(footage(t, "images", folder), "*.gt.json"))
	if err != nil || len(lists) == 0 {
		t.Fatalf("no lists of faces: %v", err)
	}
	var r recall
	for i := 0; i < len(lists); i += step {
		data, err := os.ReadFile(lists[i])
		if err != nil {
			t.Fatal(err)
		}
		var want truth
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%s: %v", lists[i], err)
		}
		if filepath.Ext(want.File) == ".pgm" { // the one kind that Go's decoders do not read
			t.Logf("%s is left out", want.File)
			continue
		}
		seen, size := lookAt(t, f, filepath.Join(filepath.Dir(lists[i]), want.File))
		if size != image.Pt(want.Width, want.Height) {
			t.Errorf("%s has %v pixels, its list says %dx%d", want.File, size, want.Width, want.Height)
		}
		for _, frame := range want.Frames {
			r.add(frame.Boxes, seen.Detections)
		}
	}
	t.Logf("%s, every %d. picture: faces found by yunet, centerface, either", folder, step)
	for i, row := range r {
		n := float64(max(row[0], 1)) / 100
		t.Logf("from %3.0f px: %4d faces  %5.1f %%  %5.1f %%  %5.1f %%", sizeBins[i], row[0], float64(row[1])/n, float64(row[2])/n, float64(row[3])/n)
	}
	return &r
}

// TestRecall holds the real weights to what they found when this was written, on real pictures, less a margin. With
// VEIL_RECALL=all it looks at every picture (minutes) and prints the table of docs/networks.md.
func TestRecall(t *testing.T) {
	step := 6
	if os.Getenv("VEIL_RECALL") == "all" {
		step = 1
	}
	for _, engine := range []string{EngineORT, EngineOpenCV} {
		t.Run(engine, func(t *testing.T) {
			if engine == EngineOpenCV && step > 1 {
				step = 24 // three times slower, and TestEnginesAgree
			}
			f := open(t, Options{Engine: engine})
			r := measureRecall(t, f, "wider_val", step)
			for k, floor := range []float64{1: 0.9, 2: 0.9, 3: 0.94} {
				if got := r.from(20, k); got < floor {
					t.Errorf("from 20 px: column %d found %.3f of the faces, floor %.2f", k, got, floor)
				}
			}
			if step == 1 {
				measureRecall(t, f, "misc", 1)
			}
		})
	}
}

// BenchmarkSweep is the analysis of pictures as they come from a 1080p and a 720p clip.
func BenchmarkSweep(b *testing.B) {
	for name, o := range map[string]SweepOptions{
		"1080p": {Width: 1536, Height: 864, SourceWidth: 1920, SourceHeight: 1080},
		"720p":  {Width: 1280, Height: 720, SourceWidth: 1280, SourceHeight: 720},
	} {
		for _, purpose := range []string{PurposeAnalyze, PurposeVerify} {
			b.Run(name+"/"+purpose, func(b *testing.B) {
				f := open(b, Options{Purpose: purpose})
				s, err := f.Sweep(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				go func() {
					if err := feed(b.Context(), s, o, b.N, 1); err != nil {
						b.Error(err)
					}
				}()
				for r := range s.Results() {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
				}
			})
		}
	}
}

// TestConfirmingLooksClosely: what confirms a sighting must see at least what the check saw: the same networks and sizes, far below the
// check's threshold, every picture, and boxes that stronger ones hide as well.
func TestConfirmingLooksClosely(t *testing.T) {
	for effort, check := range recipes[PurposeVerify] {
		confirm, err := recipeFor(PurposeConfirm, effort)
		if err != nil {
			t.Fatal(err)
		}
		if len(confirm.passes) != len(check.passes) {
			t.Fatalf("%s: %d passes, the check has %d", effort, len(confirm.passes), len(check.passes))
		}
		for i, c := range check.passes {
			p := confirm.passes[i]
			if p.network != c.network || !slices.Equal(p.longs(), c.longs()) || p.maxGrow != c.maxGrow || p.threshold > c.threshold/2 || p.every != 1 || !p.raw {
				t.Errorf("%s: %+v confirms what %+v saw", effort, p, c)
			}
		}
	}
}
