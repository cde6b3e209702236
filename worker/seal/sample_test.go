package seal

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// t0 is when the samples of this package were made.
var t0 = time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)

// testKey is a key that is always the same.
func testKey(t *testing.T, seed byte) *Key {
	t.Helper()
	k, err := NewKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func digestOf(s string) string { return Digest([]byte(s)) }

// sampleManifest has every field set.
func sampleManifest() Manifest {
	const frames = 5
	m := Manifest{
		Outcome:    Released,
		Job:        &Job{ID: "job-1", Generation: 2, Epoch: 3, Attempt: 1},
		Supersedes: digestOf("earlier"),
		Original:   Original{SHA256: digestOf("original"), Bytes: 100, Version: "v1", ETag: "e"},
		Derivative: Derivative{SHA256: digestOf("derivative"), Bytes: 90, Encryption: "AES256", Frames: Frames{
			Algorithm: "sha256", Width: 64, Height: 48, PixelFormat: "yuv420p", TimeBase: "1/12800"}},
		Report: File{digestOf("report"), 10},
		Withheld: Withheld{Plan: File{digestOf("plan"), 20}, Annex: digestOf("annex"), Contact: &File{digestOf("contact"), 30},
			Log: LogHead{SHA256: digestOf("log"), Bytes: 40, Entries: 2, Head: digestOf("head")}},
		Policy:    Policy{Name: "press", SHA256: digestOf("policy")},
		Redaction: Redaction{Frames: frames, Tracks: 1, Kept: 0, Masked: "0.125", WholeFrames: 2, Audio: "dropped", Findings: []string{}, Notes: []string{"n"}, Warnings: []string{}},
		Removed:   []Removed{{Kind: "location", Count: 1}},
		Concealed: Concealed{Frames: 2, Spans: [][2]int{{1, 1}, {3, 3}}},
		Verified:  Verified{Checks: []Check{{Name: "streams", Result: "passed", Text: "one"}}, PSNR: "43.25", Rounds: 1},
		Software: Software{Veil: "abc", Analyzed: "abc", Go: "go1.26", FFmpeg: "5.1.9", OpenCV: "4.6.0", Networks: []Network{{
			Name: "yunet", SHA256: digestOf("net"), Engine: "opencv 4.6.0", Longs: []int{640}, Threshold: "0.3", Every: 1}}},
		Settings: Settings{DecoderThreads: 2, EncoderThreads: 3, Threads: 0, Cores: 2, CPU: "amd64 v3", CRF: 18},
		Encoder:  []string{"-c:v", "libx264"},
		Sandbox:  []string{"seccomp"},
		Store:    &Store{Kind: "s3", Encryption: "AES256", Conditional: true, Versions: true},
		Times:    Times{Started: t0, Ended: t0.Add(time.Minute), Sealed: t0.Add(time.Minute)},
	}
	for i := range frames {
		m.Derivative.Frames.PTS = append(m.Derivative.Frames.PTS, int64(i)*512)
		m.Derivative.Frames.Digests = append(m.Derivative.Frames.Digests, digestOf(fmt.Sprint(i)))
	}
	return m
}

func mustSeal(t *testing.T, m Manifest, k *Key) []byte {
	t.Helper()
	b, err := SealManifest(m, k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
