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
