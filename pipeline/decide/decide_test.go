package decide

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/track"
)

func testInput(t *testing.T, policy string, tracks ...track.Track) Input {
	t.Helper()
	p, err := Shipped(policy)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{
		Source: Source{
			SHA256: "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab", Bytes: 1000,
			Width: 639, Height: 361, TimeBase: "1/12800",
		},
		Policy: p, Tracks: tracks,
	}
	for i := range 50 {
		in.FrameStamps = append(in.FrameStamps, FrameStamp{PTS: int64(512 * i), Digest: "0badcafe", Time: float64(i) / 25})
	}
	return in
}

// still is a track that stands still, seen in every frame from first to last.
func still(id, first, last int, b track.Box) track.Track {
	t := track.Track{ID: id, Sure: true, BestFast: 0.9, Seen: last - first + 1}
	for i := first; i <= last; i++ {
		t.Samples = append(t.Samples, track.Sample{Frame: i, Box: b, Score: 0.9, Source: track.Detected})
	}
	return t
}

func TestPlanReadsBackAsWritten(t *testing.T) {
	in := testInput(t, Press, still(1, 3, 20, track.Box{X: 100, Y: 50, W: 40, H: 50}))
	p, err := Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParsePlan(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	again, err := back.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(again)); diff != "" {
		t.Error(diff)
	}
}
