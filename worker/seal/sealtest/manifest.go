package sealtest

import (
	"time"

	"veil/worker/seal"
)

// Manifest is a manifest of one frame about a derivative that its digest names.
func Manifest(derivative string) seal.Manifest {
	some := seal.File{SHA256: seal.Digest([]byte("some file")), Bytes: 9}
	at := time.Date(2023, 6, 1, 9, 30, 0, 0, time.UTC)
	return seal.Manifest{
		Outcome: seal.Released, Original: seal.Original{SHA256: some.SHA256, Bytes: 9},
		Derivative: seal.Derivative{SHA256: derivative, Bytes: 9, Frames: seal.Frames{Algorithm: "sha256", Width: 2, Height: 2, PixelFormat: "yuv420p",
			TimeBase: "1/25", PTS: []int64{0}, Digests: []string{some.SHA256}}},
		Report:    some,
		Withheld:  seal.Withheld{Plan: some, Annex: some.SHA256, Log: seal.LogHead{SHA256: some.SHA256, Bytes: 9, Entries: 1, Head: some.SHA256}},
		Policy:    seal.Policy{Name: "press", SHA256: some.SHA256},
		Redaction: seal.Redaction{Frames: 1, Masked: "0", Findings: []string{}, Notes: []string{}, Warnings: []string{}},
		Removed:   []seal.Removed{}, Concealed: seal.Concealed{Spans: [][2]int{}}, Verified: seal.Verified{Checks: []seal.Check{}, PSNR: "40"},
		Software: seal.Software{Networks: []seal.Network{}}, Encoder: []string{}, Sandbox: []string{},
		Times: seal.Times{Started: at, Ended: at, Sealed: at},
	}
}
