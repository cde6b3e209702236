// Package evidencetest makes whole sets of evidence for tests, with clips that ffmpeg draws, as veil leaves them.
package evidencetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"veil/worker/evidence"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

// Made is when the sets of these tests were sealed: long ago.
var Made = time.Date(2023, 6, 1, 9, 30, 0, 0, time.UTC)

// Kit is a whole set in a folder, with its original beside it, as veil leaves it.
type Kit struct {
	Dir      string
	Out      string // clip.mp4
	Original string
	Key      *seal.Key
	Manifest seal.Manifest
}

// Stem is what the names of the set's files begin with.
func (k *Kit) Stem() string { return evidence.Stem(k.Out) }

// Trust trusts the key for a year before and after.
func (k *Kit) Trust() *seal.Trust {
	return &seal.Trust{Keys: []seal.TrustedKey{{Name: "Press office", Public: k.Key.Public(), From: Made.AddDate(-1, 0, 0), Until: Made.AddDate(1, 0, 0)}}}
}

// clip makes a small clip by ffmpeg's own test picture.
func clip(t testing.TB, path, picture string, more ...string) {
	t.Helper()
	args := append([]string{"-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", picture, "-frames:v", "10", "-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", "-bf", "0", "-g", "5", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
		"-bsf:v", "filter_units=remove_types=6", "-movflags", "+negative_cts_offsets", "-video_track_timescale", "12800",
		"-movie_timescale", "192000", "-empty_hdlr_name", "1", "-metadata:s:v", "encoder=veil"}, append(more, path)...)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
}

// New makes a set. Its picture is of size 64x48, at 10 frames.
func New(t testing.TB) *Kit {
	t.Helper()
	k := &Kit{Dir: t.TempDir(), Key: sealtest.Key(t, 1)}
	k.Out, k.Original = filepath.Join(k.Dir, "clip.mp4"), filepath.Join(k.Dir, "IMG_0001.MOV")
	clip(t, k.Original, "testsrc2=s=64x48:r=25", "-f", "mov")
	clip(t, k.Out, "testsrc2=s=64x48:r=25,drawbox=x=16:y=16:w=16:h=16:color=gray:t=fill")
	frames, err := evidence.FindFFmpeg("").Frames(context.Background(), k.Out, "yuv420p")
	if err != nil {
		t.Fatal(err)
	}
	k.Fill(t, frames)
	return k
}

// Fill makes everything that belongs to the derivative.
func (k *Kit) Fill(t testing.TB, frames seal.Frames) {
	t.Helper()
	derivative, original := File(t, k.Out), File(t, k.Original)
	k.Manifest = seal.Manifest{
		Outcome: seal.Released, Original: seal.Original{SHA256: original.SHA256, Bytes: original.Bytes},
		Derivative: seal.Derivative{SHA256: derivative.SHA256, Bytes: derivative.Bytes, Frames: frames},
		Policy:     seal.Policy{Name: "press", SHA256: seal.Digest([]byte("policy"))},
		Redaction:  seal.Redaction{Frames: len(frames.PTS), Tracks: 1, Masked: "0.08", Audio: "none in the source", Findings: []string{}, Notes: []string{}, Warnings: []string{}},
		Removed:    []seal.Removed{{Kind: "location", Count: 1}}, Concealed: seal.Concealed{Spans: [][2]int{}},
		Verified: seal.Verified{Checks: []seal.Check{{Name: "frames", Result: "passed", Text: "10 frames"}}, PSNR: "43.1"},
		Software: seal.Software{Veil: "test", Analyzed: "test", Go: "go", FFmpeg: "5.1", OpenCV: "4.6.0", Networks: []seal.Network{}},
		Settings: seal.Settings{DecoderThreads: 2, EncoderThreads: 3, Cores: 2, CPU: "amd64"}, Encoder: []string{"-c:v", "libx264"}, Sandbox: []string{},
		Times: seal.Times{Started: Made, Ended: Made.Add(time.Minute), Sealed: Made.Add(2 * time.Minute)},
	}
	plan := jsonOf(t, map[string]any{"schema": "veil.plan/1", "source": original, "frames": []any{}})
	k.Write(t, evidence.PlanEnding, plan)
	k.Write(t, evidence.ReportEnding, jsonOf(t, map[string]any{"schema": "veil.report/1", "source": original, "derivative": derivative, "plan": seal.Digest(plan)}))
	var log seal.Log
	for i, event := range []string{"begun", "analyze", "render", "verify", "sealed"} {
		if err := log.Add(Made.Add(time.Duration(i)*time.Second), event, map[string]string{"frames": fmt.Sprint(len(frames.PTS))}); err != nil {
			t.Fatal(err)
		}
	}
	k.Write(t, evidence.LogEnding, log.Bytes())
	annex, err := seal.Annex{Source: "IMG_0001.MOV", Case: "2023/17", Persons: []string{"A. Officer"}}.Encode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, evidence.AnnexEnding, annex)
	k.Manifest.Report, k.Manifest.Withheld = File(t, k.Stem()+evidence.ReportEnding), seal.Withheld{
		Plan: File(t, k.Stem()+evidence.PlanEnding), Log: log.Head(), Annex: seal.Digest(annex)}
	k.Sign(t, k.Key)
}

// Sign writes the manifest anew.
func (k *Kit) Sign(t testing.TB, key *seal.Key) {
	t.Helper()
	b, err := seal.SealManifest(k.Manifest, key)
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, evidence.ManifestEnding, b)
}

// State signs a later statement.
func (k *Kit) State(t testing.TB, n int, kind string) {
	t.Helper()
	manifest := File(t, k.Stem()+evidence.ManifestEnding).SHA256
	before := manifest
	if n > 1 {
		before = File(t, k.Stem()+evidence.StatementEnding(n-1)).SHA256
	}
	annex, err := seal.Annex{By: "B. Officer", Reason: "request"}.Encode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal.SealEvent(k.Manifest.Derivative.SHA256, seal.Event{Kind: kind, Manifest: manifest, Seq: n, Predecessor: before,
		Time: Made.Add(time.Duration(n) * time.Hour), Annex: seal.Digest(annex)}, k.Key)
	if err != nil {
		t.Fatal(err)
	}
	k.Write(t, evidence.StatementEnding(n), b)
	k.Write(t, evidence.StatementAnnexEnding(n), annex)
}

// Write writes one file of the set.
func (k *Kit) Write(t testing.TB, ending string, b []byte) {
	t.Helper()
	if err := os.WriteFile(k.Stem()+ending, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Read reads one file of the set.
func (k *Kit) Read(t testing.TB, ending string) []byte {
	t.Helper()
	b, err := os.ReadFile(k.Stem() + ending)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Remove takes files out of the set.
func (k *Kit) Remove(t testing.TB, endings ...string) {
	t.Helper()
	for _, e := range endings {
		if err := os.Remove(k.Stem() + e); err != nil {
			t.Fatal(err)
		}
	}
}

// File names the bytes of a file.
func File(t testing.TB, path string) seal.File {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return seal.File{SHA256: seal.Digest(b), Bytes: int64(len(b))}
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}
