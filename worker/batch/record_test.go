package batch

import (
	"testing"
)

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
