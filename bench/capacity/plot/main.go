// Command plot draws what `go run ./bench/queue -fleet -json` printed: how many jobs were settled each second beside what sleeping
// alone would have allowed, and how long workers and jobs waited for each other. It is a module of its own, so that the drawing
// library is none of veil's dependencies.
//
//	go run . FLEET.json PICTURE.png
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// fleet is what is drawn of the bench's result.
type fleet struct {
	Workers  int       `json:"workers"`
	Jobs     int       `json:"jobs"`
	Sleep    float64   `json:"sleep_seconds"`
	Settled  []int     `json:"settled_per_10s"`
	Rush     float64   `json:"rush_seconds"`
	Handover []float64 `json:"handover_percentiles_ms"`
	Wait     []float64 `json:"wait_percentiles_ms"`
}

const (
	binSeconds = 10
	around     = 3 // bins on either side that a mean is taken over
	width      = 22 * vg.Centimeter
	height     = 20 * vg.Centimeter
)

var (
	measured = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
	ideal    = color.RGBA{R: 0xc0, G: 0x50, B: 0x20, A: 0xff}

	errUsage   = errors.New("usage: go run . FLEET.json PICTURE.png")
	errNothing = errors.New("the file holds no fleet")
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	b, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var res struct {
		Fleet *fleet `json:"fleet"`
	}
	if err := json.Unmarshal(b, &res); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	if res.Fleet == nil || len(res.Fleet.Settled) == 0 || len(res.Fleet.Handover) == 0 || len(res.Fleet.Wait) == 0 {
		return errNothing
	}
	f, err := os.Create(args[1])
	if err != nil {
		return err
	}
	return errors.Join(res.Fleet.draw(f), f.Close())
}

// draw writes both plots, one below the other, as PNG.
func (f *fleet) draw(to *os.File) error {
	settled, err := f.throughput()
	if err != nil {
		return err
	}
	waited, err := f.latency()
	if err != nil {
		return err
	}
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadX: vg.Centimeter, PadY: vg.Centimeter, PadTop: vg.Points(8), PadBottom: vg.Points(8), PadLeft: vg.Points(8), PadRight: vg.Points(14)}
	for i, c := range plot.Align([][]*plot.Plot{{settled}, {waited}}, tiles, draw.New(canvas)) {
		[]*plot.Plot{settled, waited}[i].Draw(c[0])
	}
	_, err = vgimg.PngCanvas{Canvas: canvas}.WriteTo(to)
	return err
}

// throughput draws the answers of each ten seconds.
func (f *fleet) throughput() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%d workers, %d jobs that sleep %.0f s: first all wait, then they come one by one", f.Workers, f.Jobs, f.Sleep)
	p.X.Label.Text, p.Y.Label.Text = "seconds since the first claim", "jobs settled a second, mean of 70 s"
	p.Add(plotter.NewGrid())
	best := float64(f.Workers) / f.Sleep
	var rate plotter.XYs
	for i := range f.Settled {
		rate = append(rate, plotter.XY{X: (float64(i) + 0.5) * binSeconds, Y: f.mean(i)})
	}
	if err := line(p, "settled", rate, measured, nil); err != nil {
		return nil, err
	}
	most := plotter.XYs{{X: 0, Y: best}, {X: f.Rush, Y: best}}
	if err := line(p, "what sleeping alone allows", most, ideal, []vg.Length{vg.Points(5), vg.Points(3)}); err != nil {
		return nil, err
	}
	p.Y.Min, p.Y.Max = 0, best*1.35
	p.Legend.Top = true
	return p, nil
}

// mean is how many jobs were settled a second around a bin: workers that began together also end together for a while.
func (f *fleet) mean(bin int) float64 {
	from, to := max(bin-around, 0), min(bin+around+1, len(f.Settled))
	sum := 0
	for _, n := range f.Settled[from:to] {
		sum += n
	}
	return float64(sum) / float64((to-from)*binSeconds)
}

// latency draws how many of the waits were no longer than a time.
func (f *fleet) latency() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "how long workers and jobs waited for each other"
	p.X.Label.Text, p.Y.Label.Text = "milliseconds", "percent that waited no longer"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	if err := line(p, "a worker, from its answer to its next claim, while jobs waited", cumulative(f.Handover), measured, nil); err != nil {
		return nil, err
	}
	if err := line(p, "a job, from its submission to its claim, one by one", cumulative(f.Wait), ideal, nil); err != nil {
		return nil, err
	}
	p.Y.Min, p.Y.Max = 0, 125 // room for the legend
	p.Legend.Top, p.Legend.Left = true, true
	return p, nil
}

// cumulative makes a curve of percentiles; a logarithmic axis has no zero.
func cumulative(percentiles []float64) (curve plotter.XYs) {
	for p, ms := range percentiles {
		curve = append(curve, plotter.XY{X: math.Max(ms, 0.1), Y: float64(p)})
	}
	return curve
}

func line(p *plot.Plot, name string, points plotter.XYs, c color.Color, dashes []vg.Length) error {
	l, err := plotter.NewLine(points)
	if err != nil {
		return fmt.Errorf("draw %s: %w", name, err)
	}
	l.Color, l.Width, l.Dashes = c, vg.Points(1.5), dashes
	p.Add(l)
	p.Legend.Add(name, l)
	return nil
}
