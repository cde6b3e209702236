package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veil/pipeline/decide"
	"veil/pipeline/media"
)

func TestFlagsChangeACopyOfThePolicy(t *testing.T) {
	track := 1
	f := policyFlags{
		Policy: "court", Fill: "solid", Cover: "face", Shape: "ellipse", Audio: "keep", AudioTrack: &track,
		Mute: []span{{From: 1, To: 2}}, Profile: "lossless", Unsure: "review", Damage: "mask", Effort: "fast",
		Region: []region{{rect: [4]int{1, 2, 3, 4}}},
	}
	got, err := f.policy()
	if err != nil {
		t.Fatal(err)
	}
	want, err := decide.Shipped("court")
	if err != nil {
		t.Fatal(err)
	}
	want.Fill, want.Cover, want.Shape, want.Audio, want.AudioTrack = "solid", "face", "ellipse", "keep", 1
	want.Profile, want.Unsure, want.Damage, want.Effort = "lossless", "review", "mask", "fast"
	want.Mute = []decide.Span{{From: 1, To: 2}}
	want.Regions = []decide.FixedRegion{{Rect: [4]int{1, 2, 3, 4}, Reason: "command line"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPolicyWithoutFlagsIsTheNamedOne(t *testing.T) {
	for _, name := range []string{"press", "disclosure", "court"} {
		got, err := (&policyFlags{Policy: name}).policy()
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
		if again, err := (&policyFlags{Policy: path}).policy(); err != nil || !cmp.Equal(again, got) {
			t.Errorf("%s read back: %v", name, err)
		}
	}
}

func TestBlurNeedsARestrictedPolicy(t *testing.T) {
	for _, fill := range []string{"blur", "mosaic"} {
		if _, err := (&policyFlags{Policy: "press", Fill: fill}).policy(); err == nil {
			t.Errorf("press took %s", fill)
		}
		if _, err := (&policyFlags{Policy: "disclosure", Fill: fill}).policy(); err != nil {
			t.Errorf("disclosure refused %s: %v", fill, err)
		}
	}
}

// TestNamedToolsGetTheSameThreads: naming a program changes no pixel.
func TestNamedToolsGetTheSameThreads(t *testing.T) {
	found, err := media.DefaultTools()
	if err != nil {
		t.Fatal(err)
	}
	named, err := (&settings{FFmpeg: found.FFmpeg, FFprobe: found.FFprobe}).tools()
	if err != nil || named != found {
		t.Errorf("named %+v, found %+v: %v", named, found, err)
	}
}

func TestConditionsNameWhatChanged(t *testing.T) {
	one, two := 1.0, 2.0
	base := conditions{Policy: "p", OnHold: "keep", Build: "b", Program: "x", FFmpeg: "5", Engine: "auto", Decoder: 2, Encoder: 3,
		Models: map[string]string{"a": "1"}, From: &one}
	tests := map[string]func(*conditions){
		"":         func(c *conditions) { same := 1.0; c.From, c.Models = &same, map[string]string{"a": "1"} },
		"policy":   func(c *conditions) { c.Policy = "q" },
		"excerpt":  func(c *conditions) { c.From = &two },
		"on-hold":  func(c *conditions) { c.OnHold = "discard" },
		"build":    func(c *conditions) { c.Program = "y" },
		"ffmpeg":   func(c *conditions) { c.FFmpeg = "6" },
		"settings": func(c *conditions) { c.Encoder = 4 },
		"models":   func(c *conditions) { c.Models = map[string]string{"a": "2"} },
	}
	for want, change := range tests {
		now := base
		change(&now)
		if got := base.change(now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	now := base
	now.From = nil
	if base.change(now) != "excerpt" {
		t.Error("an excerpt that was taken away does not count")
	}
}

func TestWorstExit(t *testing.T) {
	tests := []struct {
		exits []int
		want  int
	}{{[]int{0, 0}, 0}, {[]int{0, 3, 0}, 3}, {[]int{3, 2}, 2}, {[]int{2, 5, 3}, 5}, {[]int{5, 1}, 1}, {[]int{1, 4, 5}, 4}, {nil, 2}}
	for _, tt := range tests {
		var rows []row
		for _, e := range tt.exits {
			rows = append(rows, row{Outcome: "x", exit: e})
		}
		if got := worst(rows); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.exits, got, tt.want)
		}
	}
}
