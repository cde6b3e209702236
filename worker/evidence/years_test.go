package evidence_test

import (
	"testing"
	"time"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal"
	"veil/worker/seal/sealtest"
)

// TestVerdictsYearsLater: a set signed three years ago, with a key that has expired or was stolen since, with a time stamp and without:
// each has the verdict that docs/evidence.md tells.
func TestVerdictsYearsLater(t *testing.T) {
	k := evidencetest.New(t)
	made := k.Manifest.Times.Sealed
	a := sealtest.NewAuthority(t, made.AddDate(-1, 0, 0), made.AddDate(2, 0, 0)) // its own certificate has expired as well
	const expired, stolenLater, stolenBefore = "expired", "stolen later", "stolen before"
	for _, tt := range []struct {
		key                      string
		stamped                  time.Duration // after the signature; 0: not at all
		want                     seal.Verdict
		signature, time, outcome string
	}{
		{expired, time.Minute, seal.Proven, "passed valid", "passed time_proven", evidence.Partial},
		{expired, 0, seal.Unproven, "passed valid_time_unproven", "not_done time_unproven", evidence.Partial},
		{expired, 400 * 24 * time.Hour, seal.Unproven, "passed valid_time_unproven", "not_done stamp_late", evidence.Partial},
		{stolenLater, time.Minute, seal.Proven, "passed valid", "passed time_proven", evidence.Partial},
		{stolenLater, 0, seal.Compromised, "failed key_compromised", "not_done time_unproven", evidence.Broken},
		{stolenBefore, time.Minute, seal.Compromised, "failed key_compromised", "passed time_proven", evidence.Broken},
		{stolenBefore, 0, seal.Compromised, "failed key_compromised", "not_done time_unproven", evidence.Broken},
	} {
		trust := &seal.Trust{Keys: []seal.TrustedKey{{Public: k.Key.Public(), From: made.AddDate(-1, 0, 0), Until: made.AddDate(1, 0, 0)}}}
		trust.Authorities = append(trust.Authorities, a.Root)
		switch tt.key {
		case stolenLater:
			trust.Keys[0].Compromised = made.AddDate(0, 6, 0)
		case stolenBefore:
			trust.Keys[0].Compromised = made.AddDate(0, 0, -1)
		}
		if tt.stamped > 0 {
			k.Write(t, evidence.StampEnding, a.Stamp(t, k.Read(t, evidence.ManifestEnding), made.Add(tt.stamped)))
		}
		r := verify(t, k, blind, func(r *evidence.Request) { r.Trust = trust })
		c := codes(r)
		if r.Verdict != string(tt.want) || c["signature"] != tt.signature || c["time"] != tt.time || r.Outcome != tt.outcome {
			t.Errorf("%s, stamped %s later: %s, %s, %s, %s", tt.key, tt.stamped, r.Outcome, r.Verdict, c["signature"], c["time"])
		}
		if tt.stamped > 0 {
			k.Remove(t, evidence.StampEnding)
		}
	}
}
