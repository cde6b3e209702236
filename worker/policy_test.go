package main

import (
	"testing"

	"veil/pipeline/media"
)

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
