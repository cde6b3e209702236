package evidence_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"veil/worker/evidence"
	"veil/worker/evidence/evidencetest"
	"veil/worker/seal/sealtest"
)

func run(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin", "-y"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
}

// TestOneByteAnywhere changes one byte at random places of every file of a set, 1,000 in all: each is found, under the name of
// the file that it is in. The pictures are decoded for some of the changes of the derivative only.
func TestOneByteAnywhere(t *testing.T) {
	k := evidencetest.New(t)
	random := rand.New(rand.NewPCG(6, 2))
	for _, f := range []struct {
		ending, check string
		times         int
	}{
		{".mp4", evidence.CheckDerivative, 250}, {evidence.ManifestEnding, evidence.CheckEnvelope, 300}, {evidence.ReportEnding, evidence.CheckReport, 125}, {evidence.PlanEnding, evidence.CheckPlan, 125},
		{evidence.LogEnding, evidence.CheckLog, 125}, {evidence.AnnexEnding, evidence.CheckAnnex, 75},
	} {
		good := k.Read(t, f.ending)
		seen := map[string]int{}
		for i := range f.times {
			at, with := random.IntN(len(good)), byte(1+random.IntN(255))
			b := bytes.Clone(good)
			b[at] ^= with
			k.Write(t, f.ending, b)
			r := verify(t, k, func(r *evidence.Request) {
				if f.ending != ".mp4" || i%25 > 0 {
					r.Pictures = nil
				}
			})
			c := r.Find(f.check)
			if f.ending == evidence.ManifestEnding && c.Result == evidence.Passed {
				c = r.Find(evidence.CheckSignature)
			}
			if r.Outcome != evidence.Broken || c.Result != evidence.Failed {
				t.Errorf("%s, byte %d ^ %#x: %s, %v", f.ending, at, with, r.Outcome, codes(r))
			}
			for _, other := range r.Checks {
				if f.ending != evidence.ManifestEnding && other.Result == evidence.Failed && other.Name != f.check && other.Name != evidence.CheckFrames && other.Name != evidence.CheckContainer {
					t.Errorf("%s, byte %d: %s is blamed: %s", f.ending, at, other.Name, other.Code)
				}
			}
			seen[c.Code]++
		}
		k.Write(t, f.ending, good)
		t.Logf("%s: %v", f.ending, seen)
	}
	if r := verify(t, k); r.Outcome != evidence.Partial {
		t.Errorf("the set itself: %v", codes(r))
	}
}

// TestAddedSignaturesAndKeys: a signature or a key more is never taken for an improvement.
func TestAddedSignaturesAndKeys(t *testing.T) {
	k := evidencetest.New(t)
	good := string(k.Read(t, evidence.ManifestEnding))
	at := strings.Index(good, `"signatures":[`) + len(`"signatures":[`)
	own := good[at : len(good)-2]
	other := evidencetest.New(t)
	other.Key = sealtest.Key(t, 5)
	other.Sign(t, other.Key)
	theirs := string(other.Read(t, evidence.ManifestEnding))
	theirs = theirs[strings.Index(theirs, `"signatures":[`)+len(`"signatures":[`) : len(theirs)-2]
	for name, list := range map[string]string{
		"the same again": own + "," + own, "a stranger's behind": own + "," + theirs, "a stranger's before": theirs + "," + own,
		"a stranger's instead": theirs, "an empty one": own + `,{"keyid":"","sig":""}`, "a key in it": strings.Replace(own, `"sig"`, `"public":"x","sig"`, 1),
		"none": "",
	} {
		k.Write(t, evidence.ManifestEnding, []byte(good[:at]+list+"]}"))
		if r := verify(t, k, blind); r.Outcome != evidence.Broken {
			t.Errorf("%s: %v", name, codes(r))
		}
	}
}

// TestNoFalseAlarms: fifty sets, half of them renamed, none of them altered. The pictures of ten are decoded.
func TestNoFalseAlarms(t *testing.T) {
	k := evidencetest.New(t)
	clip := k.Read(t, ".mp4")
	for i := range 50 {
		dir := t.TempDir()
		n := &evidencetest.Kit{Dir: dir, Key: sealtest.Key(t, byte(i)), Original: k.Original, Out: filepath.Join(dir, fmt.Sprintf("clip %d.mp4", i))}
		if err := os.WriteFile(n.Out, clip, 0o600); err != nil {
			t.Fatal(err)
		}
		n.Fill(t, k.Manifest.Derivative.Frames)
		out := n.Out
		if i%2 == 1 {
			out = filepath.Join(dir, fmt.Sprintf("%d renamed.mp4", i))
			if err := os.Rename(n.Out, out); err != nil {
				t.Fatal(err)
			}
		}
		r := verify(t, n, withOriginal(n), func(r *evidence.Request) {
			r.Out = out
			if i >= 10 {
				r.Pictures = nil
			}
		})
		for _, c := range r.Checks {
			if c.Result == evidence.Failed || c.Result == evidence.Withheld {
				t.Errorf("set %d: %s %s", i, c.Name, c.Code)
			}
		}
	}
}
