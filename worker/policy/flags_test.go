package policy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/decide"
)

func TestFlagsChangeACopyOfThePolicy(t *testing.T) {
	track := 1
	f := Flags{
		Policy: "court", Fill: "solid", Cover: "face", Shape: "ellipse", Audio: "keep", AudioTrack: &track,
		Mute: []span{{From: 1, To: 2}}, Profile: "lossless", Unsure: "review", Damage: "mask", Effort: "fast",
		Region: []region{{rect: [4]int{1, 2, 3, 4}}},
	}
	got, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	want, err := decide.Shipped("court")
	if err != nil {
		t.Fatal(err)
	}
	want.Fill, want.Cover, want.Shape, want.Audio, want.AudioTrack = "solid", "face", "ellipse", "keep", 1
	want.Profile, want.Unsure, want.Damage, want.Effort = "lossless", "review", "mask", "fast"
	want.Mute = []decide.Muted{{From: 1, To: 2}}
	want.Regions = []decide.FixedRegion{{Rect: [4]int{1, 2, 3, 4}, Reason: "command line"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPolicyWithoutFlagsIsTheNamedOne(t *testing.T) {
	for _, name := range []string{"press", "disclosure", "court"} {
		got, err := (&Flags{Policy: name}).Load()
		if err != nil {
			t.Fatal(err)
		}
		want, err := decide.Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := got.Encode()
		if err != nil {
			t.Fatal(err)
		}
		b, err := want.Encode()
		if err != nil || decide.Digest(a) != decide.Digest(b) {
			t.Errorf("%s: another digest: %v", name, err)
		}
		path := filepath.Join(t.TempDir(), "p.json")
		if err := os.WriteFile(path, a, 0o600); err != nil {
			t.Fatal(err)
		}
		if again, err := (&Flags{Policy: path}).Load(); err != nil || !cmp.Equal(again, got) {
			t.Errorf("%s read back: %v", name, err)
		}
	}
}

func TestBlurNeedsARestrictedPolicy(t *testing.T) {
	for _, fill := range []string{"blur", "mosaic"} {
		if _, err := (&Flags{Policy: "press", Fill: fill}).Load(); err == nil {
			t.Errorf("press took %s", fill)
		}
		if _, err := (&Flags{Policy: "disclosure", Fill: fill}).Load(); err != nil {
			t.Errorf("disclosure refused %s: %v", fill, err)
		}
	}
}
