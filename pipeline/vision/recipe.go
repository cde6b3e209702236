package vision

import (
	"fmt"
	"image"
	"math"
	"slices"
)

// pass is one network's part in a look.
type pass struct {
	network string
	// looks hold the long sides, in pixels, of the pictures that the network is shown. They take turns, one at each frame of the
	// pass; the first frame of a scene gets all of them.
	looks     [][]int
	threshold float64
	every     int // frames
	// lone is for a network that also looks at each frame that lies far from the one before.
	lone bool
	// maxGrow is how much a small picture may be enlarged to reach a long side.
	maxGrow float64
	// raw is for all boxes that the network tells of, also those that overlap a stronger one.
	raw     bool
	turning turning
	// closer is for a network that is shown doubtful faces once more, cut out.
	closer bool
}

// recipe is who looks at what.
type recipe struct {
	passes []pass
	motion bool // measure the camera's motion and find scene cuts
	// apart keeps what each scale saw of a face, as tracks weigh how far the scales agree; elsewhere the strongest counts.
	apart bool
}

// recipes by purpose and effort. The figures behind them are in docs/detection.md: YuNet sees faces of 10 to 300 px of the
// picture that it is shown, so that a large scale finds the small ones and two smaller scales the large ones; CenterFace is
// slower and has fewer false alarms, and is the second opinion. A face is followed through the frames between two looks at its
// scale, so that the scales take turns and lose next to nothing. The check on the output is CenterFace's alone, for what it sees
// is covered or held: a network with many false alarms would cover the scene. It uses scales that the analysis does not, so
// that a face which fell between its scales is seen.
var recipes = map[string]map[string]recipe{
	PurposeAnalyze: {
		EffortThorough: {motion: true, apart: true, passes: []pass{
			{network: YuNet, looks: [][]int{{1536}, {640, 256}}, threshold: 0.3, every: 2, lone: true, maxGrow: 2,
				turning: turning{long: 640, threshold: 0.5, every: 6, wide: 1536, wideEvery: 60}},
			{network: CenterFace, looks: [][]int{{1536, 512}}, threshold: 0.12, every: 5, maxGrow: 1.5, closer: true},
		}},
		EffortFast: {motion: true, apart: true, passes: []pass{
			{network: YuNet, looks: [][]int{{1536}, {640, 256}}, threshold: 0.3, every: 3, maxGrow: 2,
				turning: turning{long: 640, threshold: 0.5, every: 15, wide: 1536, wideEvery: 480}},
			{network: CenterFace, looks: [][]int{{1536, 512}}, threshold: 0.12, every: 10, maxGrow: 1.5, closer: true},
		}},
	},
	PurposeVerify: {
		EffortThorough: {passes: []pass{
			{network: CenterFace, looks: [][]int{{1216, 448}}, threshold: 0.5, every: 4, maxGrow: 1.25},
		}},
		EffortFast: {passes: []pass{
			{network: CenterFace, looks: [][]int{{1024}}, threshold: 0.5, every: 12, maxGrow: 1},
		}},
	},
	PurposeConfirm: {
		EffortThorough: {passes: []pass{
			{network: CenterFace, looks: [][]int{{1216, 448}}, threshold: 0.2, every: 1, maxGrow: 1.25, raw: true},
		}},
		EffortFast: {passes: []pass{
			{network: CenterFace, looks: [][]int{{1024}}, threshold: 0.2, every: 1, maxGrow: 1, raw: true},
		}},
	},
}

// recipeFor finds the recipe; empty names mean the analysis and thorough.
func recipeFor(purpose, effort string) (recipe, error) {
	if purpose == "" {
		purpose = PurposeAnalyze
	}
	if effort == "" {
		effort = EffortThorough
	}
	r, ok := recipes[purpose][effort]
	if !ok {
		return recipe{}, fmt.Errorf("look for purpose %q with effort %q: there is no such recipe", purpose, effort)
	}
	return r, nil
}

// long is the largest picture that any pass wants.
func (r recipe) long() int {
	long := 0
	for _, p := range r.passes {
		long = max(long, p.longs()[0])
	}
	return long
}

// longs are the long sides of all looks, falling.
func (p pass) longs() []int {
	all := slices.Concat(p.looks...)
	slices.SortFunc(all, func(a, b int) int { return b - a })
	return slices.Compact(all)
}

// sizes gives the sizes at which pictures of the given size are looked at: each long side, but no picture enlarged by more than
// maxGrow, and none twice.
func (p pass) sizes(longs []int, width, height int) []image.Point {
	var sizes []image.Point
	for _, l := range longs {
		if size := p.size(l, width, height); !slices.Contains(sizes, size) {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// size is the size that a picture has at a long side, if it is not enlarged by more than maxGrow.
func (p pass) size(long, width, height int) image.Point {
	scale := min(float64(long)/float64(max(width, height)), p.maxGrow)
	return image.Pt(max(int(math.Round(float64(width)*scale)), 1), max(int(math.Round(float64(height)*scale)), 1))
}
